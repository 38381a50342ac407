"use strict";

/* The host, as a page sees it: JSON-RPC by postMessage, in the words of MCP Apps 2026-01-26. */
const host = (() => {
  const waiting = new Map();
  const listeners = new Map();
  const context = {};
  let lastId = 0;
  let capabilities = {};

  function send(message) {
    // The sandbox has no origin that could be named; nothing goes out but what the host has given before.
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  function request(method, params) {
    const id = ++lastId;
    send({ id, method, params });
    return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  }

  function take(message) {
    if (message.method === undefined) {
      const asked = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) asked?.reject(new Error(String(message.error.message ?? "The host refused it.")));
      else asked?.resolve(message.result ?? {});
    } else if (message.id === undefined) {
      listeners.get(message.method)?.(message.params ?? {});
    } else if (["ping", "ui/resource-teardown"].includes(message.method)) {
      send({ id: message.id, result: {} });
    } else {
      send({ id: message.id, error: { code: -32601, message: "Method not found" } });
    }
  }

  function wear(changed) {
    Object.assign(context, changed);
    const root = document.documentElement;
    if (["light", "dark"].includes(context.theme)) root.dataset.theme = context.theme;
    for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
      if (name.startsWith("--") && typeof value === "string") root.style.setProperty(name, value);
    }
  }

  function measure() {
    const { width, height } = document.documentElement.getBoundingClientRect();
    send({ method: "ui/notifications/size-changed", params: { width: Math.ceil(width), height: Math.ceil(height) } });
  }

  window.addEventListener("message", (event) => {
    if (event.source === window.parent && event.data?.jsonrpc === "2.0") take(event.data);
  });
  listeners.set("ui/notifications/host-context-changed", wear);

  return {
    /** Hear a notification of the host's. */
    on(method, listener) {
      listeners.set(`ui/notifications/${method}`, listener);
    },

    /** Shake hands; gives whether the page may call tools. */
    async begin(name) {
      const told = await request("ui/initialize", {
        protocolVersion: "2026-01-26",
        appInfo: { name, version: "1" },
        appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
      });
      capabilities = told.hostCapabilities ?? {};
      wear(told.hostContext ?? {});
      send({ method: "ui/notifications/initialized", params: {} });
      new ResizeObserver(measure).observe(document.documentElement);
      return capabilities.serverTools !== undefined;
    },

    /** Call a tool of the server's; what it failed with is an error. */
    async call(tool, given) {
      const result = await request("tools/call", { name: tool, arguments: given });
      if (result.isError) throw new Error(textOf(result));
      return result.structuredContent ?? {};
    },

    /** A figure as the user writes it. */
    figure(value, options = {}) {
      return new Intl.NumberFormat(context.locale, options).format(value);
    },
  };
})();

/** What a model reads of a result. */
function textOf(result) {
  return (result.content ?? []).map((each) => each.text ?? "").join("\n");
}

/** An element. Whatever stands in it is text: what came from documents never becomes markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return made;
}

/** A share from 0 to 1 as a bar; its figure stands beside it. */
function bar(share) {
  const filled = element("i");
  filled.style.width = `${Math.max(0, Math.min(1, Number(share) || 0)) * 100}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, filled);
}

function byId(id) {
  return document.getElementById(id);
}
