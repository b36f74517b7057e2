"""From HTML to Markdown: what a reader of text needs is kept, and nothing can hang or crash it."""

import sys
import time

import pytest

from rlhf_kit.datasets.stack_exchange import markdown
from rlhf_kit.datasets.stack_exchange.markdown import to_markdown

CODE = "def f(x):\n    return  x_y   \n\n\n\nprint(1 < 2)"


@pytest.mark.parametrize(("html", "expected"), [
    ("<h2>How</h2><p>one</p>", "## How\n\none"),
    ("<p>use snake_case_name, 2 * 3 * 4 and $a_1 * b_2$</p>", "use snake_case_name, 2 * 3 * 4 and $a_1 * b_2$"),
    ("<p>&lt;b&gt; &amp; &quot;c&quot; &#233; C:\\x\\y</p>", '<b> & "c" é C:\\x\\y'),
    ('<p>see <a href="https://a.b/c_d">here</a></p>', "see [here](https://a.b/c_d)"),
    ("<p>a <code>b_c * d</code> e <strong>f</strong> <em>g</em></p>", "a `b_c * d` e **f** *g*"),
    ("<script>steal()</script><style>p {}</style><!-- no --><p>only</p>", "only"),
    ("<p>much    space\n\n\nhere</p>\n\n\n\n<p>next</p>", "much space\nhere\n\nnext"),
    ("<ul><li>one</li><li>two <b>bold</li></ul>", "- one\n- two **bold**"),
    ("<p>one <b>two <i>three</b> four</i></p>", "one **two *three*** four"),
    ("<blockquote><p>said</p></blockquote><p>so</p>", "> said\n\nso"),
    ("word", "word"), ("", ""), ("<pre>  </pre>", ""), ("<![oops it> <b>x</b>", "x"),
])
def test_html_by_hand(html, expected):
    assert to_markdown(html) == expected


@pytest.mark.parametrize("opening", ['<pre class="lang-py s-code-block"><code>', '<pre><code class="language-py">',
                                     '<pre class="language-py"><code class="hljs">'])
def test_code_is_fenced_with_its_language_and_not_touched(opening):
    escaped = CODE.replace("<", "&lt;")
    assert to_markdown(f"<p>So:</p>{opening}{escaped}\n</code></pre><p>end</p>") == f"So:\n\n```py\n{CODE}\n```\n\nend"


def test_code_without_a_language_and_code_that_holds_a_fence():
    assert to_markdown('<pre class="lang-none"><code>a\n</code></pre>') == "```\na\n```"
    assert to_markdown("<pre><code>```\nb\n```</code></pre>") == "````\n```\nb\n```\n````"


def test_code_in_a_quotation_and_in_a_list_keeps_its_empty_lines():
    quoted, listed = "<pre><code>a\n\n\nb</code></pre>", "<p>x</p><pre><code>c\n\n\nd</code></pre>"
    found = to_markdown(f"<blockquote>{quoted}</blockquote><ol><li>{listed}</li></ol>")
    assert found == "> ```\n> a\n>\n>\n> b\n> ```\n\n1. x\n\n   ```\n   c\n\n\n   d\n   ```"


def test_five_thousand_tags_in_each_other_become_their_text():
    assert to_markdown("<div>" * 5000 + "deep &amp; sound" + "</div>" * 5000 + "<p>below</p>") == "deep & sound\nbelow"


@pytest.mark.parametrize("html", [
    "<!--" * 30_000, "<!-->" * 26_000, '<a href="' * 14_000, "<" * 130_000, "<?" * 60_000, "<![CDATA[" * 14_000,
    " " * 130_000 + "x", "<p>" + " \n" * 60_000, "<b>" * 10_000,
], ids=lambda html: html[:9])
def test_nothing_of_the_longest_size_takes_long(html):
    start = time.process_time()
    to_markdown(html)
    assert time.process_time() - start < 10             # the square of the length would be minutes


def test_without_markdownify_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "markdownify", None)
    markdown._converter.cache_clear()
    with pytest.raises(ValueError, match=r'^markdownify is not installed.*pip install "rlhf-kit\[scale\]"'):
        to_markdown("<p>x</p>")
