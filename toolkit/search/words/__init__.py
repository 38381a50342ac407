"""The lexical side of the search: texts into terms, terms into postings, postings into scores. Knows no database."""
