"""`WholeLines`: lines of nothing but tags leave no line behind."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream


class WholeLines(Extension):
    """A line of nothing but tags and comments leaves no line; tags within a line leave it whole.

    Jinja's own `trim_blocks` also eats the line end after `{% endif %}` at the end of a text.
    """

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        only_tags, after_tag = True, False
        for token in stream:
            if token.type == "variable_begin":
                only_tags = False
            elif token.type == "data":
                text, line = token.value, token.lineno
                if only_tags and after_tag and text.startswith("\n"):
                    text, line = text[1:], line + 1
                elif not only_tags and "\n" not in text:
                    yield token
                    after_tag = True
                    continue
                only_tags = not text.rpartition("\n")[2].strip()
                yield Token(line, token.type, text)
                after_tag = True
                continue
            # Two texts in a row have a comment between them, which is not in the stream.
            after_tag = token.type == "block_end"
            yield token
