"""What the end of a file's name says about it."""

from pathlib import PurePath

from toolkit.search.documents import Kind

_SUFFIXES: dict[Kind, str] = {
    "markdown": ".md .markdown .mdx .qmd .rmd",
    "notebook": ".ipynb",
    "html": ".html .htm .xhtml",
    "pdf": ".pdf",
    "docx": ".docx .docm",
    "pptx": ".pptx .pptm",
    "table": ".csv .tsv .tab .json .jsonl .ndjson .geojson .xlsx .xlsm",
}
_KINDS = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}

LANGUAGES = {
    suffix: language
    for language, suffixes in {
        "bash": ".sh .bash .zsh .fish",
        "c": ".c .h",
        "clojure": ".clj .cljs",
        "cpp": ".cc .cpp .cxx .hh .hpp",
        "csharp": ".cs",
        "css": ".css .scss .less",
        "dart": ".dart",
        "elixir": ".ex .exs",
        "erlang": ".erl",
        "go": ".go",
        "graphql": ".graphql",
        "haskell": ".hs",
        "html": ".html .htm",
        "java": ".java",
        "javascript": ".js .cjs .mjs .jsx",
        "json": ".json .jsonc",
        "julia": ".jl",
        "kotlin": ".kt .kts",
        "lua": ".lua",
        "ocaml": ".ml .mli",
        "perl": ".pl .pm",
        "php": ".php",
        "powershell": ".ps1",
        "protobuf": ".proto",
        "python": ".py .pyi .pyw",
        "r": ".r",
        "ruby": ".rb",
        "rust": ".rs",
        "scala": ".scala",
        "sql": ".sql",
        "svelte": ".svelte",
        "swift": ".swift",
        "terraform": ".tf",
        "toml": ".toml",
        "typescript": ".ts .tsx .cts .mts",
        "vue": ".vue",
        "xml": ".xml .xsd",
        "yaml": ".yaml .yml",
        "zig": ".zig",
    }.items()
    for suffix in suffixes.split()
}
"""The end of a file's name to the language of what it holds."""


def kind_of(path: PurePath) -> Kind:
    """How a file of that name is read; what nobody knows is read as text."""
    suffix = path.suffix.lower()
    return _KINDS.get(suffix) or ("code" if suffix in LANGUAGES else "text")


def language_of(path: PurePath) -> str | None:
    """The programming language of a file of that name, None for what is no code."""
    return LANGUAGES.get(path.suffix.lower())
