// A client of the official TypeScript SDK, of either of its lines: does what a host does, and prints what came of it.
// node client.mjs '{"line": "v1" | "v2", "url": …} or {…, "command": …, "args": …, "env": …, "cwd": …}, "marks": path'
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const wish = JSON.parse(process.argv[2]);
const require = createRequire(`${process.env.NODE_PATH}/`);
const isFirst = wish.line === "v1";
const line = isFirst
  ? {
      ...require("@modelcontextprotocol/sdk/client/index.js"),
      ...require("@modelcontextprotocol/sdk/client/stdio.js"),
      ...require("@modelcontextprotocol/sdk/client/streamableHttp.js"),
    }
  : { ...require("@modelcontextprotocol/client"), ...require("@modelcontextprotocol/client/stdio") };

const transport = wish.url
  ? new line.StreamableHTTPClientTransport(new URL(wish.url))
  : new line.StdioClientTransport({ ...wish, stderr: "ignore" });
const options = isFirst ? {} : { versionNegotiation: { mode: { pin: "2026-07-28" } } };
const client = new line.Client({ name: "typescript", version: "1" }, options);
await client.connect(transport);

const call = (name, given, how) =>
  isFirst
    ? client.callTool({ name, arguments: given }, undefined, how)
    : client.callTool({ name, arguments: given }, how);
const says = async (word) => {
  while (!existsSync(wish.marks) || readFileSync(wish.marks, "utf8") !== word) await sleep(10);
};

const heard = [];
const counted = await call("count", { to: 3 }, { onprogress: (told) => heard.push(told.message) });
const failed = await call("fail", {});
const unknown = await call("ad", {}).catch((error) => error);

const stop = new AbortController();
const waiting = call("wait", { marks: wish.marks }, { signal: stop.signal }).then(
  () => "answered",
  () => "given up",
);
await says("begun");
stop.abort();
const given = await waiting;
await says("cancelled");

await call("ingest", { text: "The zebrafinch sings at dawn.", collection: "birds" });
const hits = (await call("semantic_search", { query: "zebrafinch" })).structuredContent.hits;
const resource = await client.readResource({ uri: `toolkit://chunks/${hits[0].chunk_id}` });
const prompt = await client.getPrompt({ name: "greet", arguments: { who: "Ada" } });

console.log(
  JSON.stringify({
    server: client.getServerVersion().name,
    tools: (await client.listTools()).tools.map((tool) => tool.name),
    counted: counted.content[0].text,
    heard,
    failed: [failed.isError, failed.content[0].text],
    unknown: unknown.code,
    given,
    templates: (await client.listResourceTemplates()).resourceTemplates.map((each) => each.uriTemplate),
    resource: resource.contents[0].text.trim(),
    prompts: (await client.listPrompts()).prompts.map((each) => each.name),
    prompt: prompt.messages[0].content.text,
  }),
);
await client.close();
process.exit(0);
