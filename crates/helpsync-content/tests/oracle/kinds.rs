//! One line for each kind of thing that editors, pastes and imports leave behind: what comes of it.

use crate::{converted, differences, dom, faults};

/// Converts and compares; besides, nothing may be lost.
pub(crate) fn becomes(html: &str, expected: &str) {
    let converted = converted(html);
    assert_eq!(converted.markdown, expected, "{html}\n{}", converted.markdown);
    assert_eq!(faults(&converted), None, "{html}");
}

#[test]
fn tables_of_any_shape() {
    for (html, expected) in [
        ("<table><tr><td>a</td><td>b</td></tr></table>", "| a | b |\n| --- | --- |"),
        ("<table><tr><td></td><td> </td></tr></table>", ""),
        (
            "<table><caption>Fees</caption><tr><th>a</th><th>b</th></tr><tr><td>c</td></tr></table>",
            "Fees\n\n| a | b |\n| --- | --- |\n| c |",
        ),
        (
            "<table><thead><tr><th>a</th></tr></thead><tfoot><tr><td>z</td></tr></tfoot><tbody><tr><td>b</td></tr></tbody></table>",
            "| a |\n| --- |\n| b |\n| z |",
        ),
        (
            "<table><tr><th>a</th><th>b</th></tr><tr><td><ul><li>x</li><li>y<ul><li>z</li></ul></li></ul></td><td><ol start=3><li>p</li></ol></td></tr></table>",
            "| a | b |\n| --- | --- |\n| - x<br>- y<br>&emsp;- z | 3. p |",
        ),
        (
            "<table><tr><th>a</th></tr><tr><td><h3>t</h3><p>p</p><pre>x|y\n z</pre><blockquote>q</blockquote></td></tr></table>",
            "| a |\n| --- |\n| t<br>p<br>`x\\|y`<br>` z`<br>q |",
        ),
        (
            "<table><tr><th>a</th><th>b</th></tr><tr><td>x</td><td><table><tr><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr></table></td></tr></table>",
            "| a | b |\n| --- | --- |\n| x | 1 \\| 2<br>3 \\| 4 |",
        ),
        (
            "<table><tr><th>a</th><th>b</th></tr><tr><th>r</th><td>1</td></tr></table>",
            "| a | b |\n| --- | --- |\n| r | 1 |",
        ),
        (
            "<table><thead><tr><td></td><th>b</th></tr></thead><tr><th>r</th><td>1</td></tr></table>",
            "| | b |\n| --- | --- |\n| r | 1 |",
        ),
        // Only there to arrange: one column, one row, or an inner table without names.
        ("<table><tr><td><h2>t</h2><ul><li>x</li></ul></td></tr></table>", "## t\n\n- x"),
        (
            "<table><tr><td><p>menu</p></td><td><h2>t</h2><table><tr><td>1</td><td>2</td></tr></table></td></tr></table>",
            "menu\n\n## t\n\n| 1 | 2 |\n| --- | --- |",
        ),
        (
            "<table><tr><th colspan=2>t</th></tr><tr><td>a</td><td>b</td></tr></table>",
            "| t | |\n| --- | --- |\n| a | b |",
        ),
        (
            "<table><tr><td>h</td><td>i</td><td>j</td></tr><tr><td colspan=2>x</td><td>y</td></tr></table>",
            "| h | i | j |\n| --- | --- | --- |\n| x | x | y |",
        ),
        (
            "<table><tr><td>h</td><td>i</td></tr><tr><td rowspan=0>x</td><td>1</td></tr><tr><td>2</td></tr></table>",
            "| h | i |\n| --- | --- |\n| x | 1 |\n| x | 2 |",
        ),
        (
            "<table><tr><td>C:\\</td><td>a\\|b</td><td><code>a\\|b</code></td></tr></table>",
            "| C:\\\\ | a\\\\&#124;b | <code>a\\\\&#124;b</code> |\n| --- | --- | --- |",
        ),
        // Sections are no names of columns; a single one is the table's title.
        (
            "<table><thead><tr><th>c<th>p</thead><tbody><tr><th colspan=2>Europe<tr><td>DE<td>1<tr><th colspan=2>Asia<tr><td>JP<td>2</table>",
            "| c | p |\n| --- | --- |\n| Europe | |\n| DE | 1 |\n| Asia | |\n| JP | 2 |",
        ),
        (
            "<table><tr><th>c<th>p<tr><th colspan=2>Europe<tr><td>DE<td>1<tr><td colspan=2>Asia<tr><td>JP<td>2</table>",
            "| c | p |\n| --- | --- |\n| Europe | |\n| DE | 1 |\n| Asia | |\n| JP | 2 |",
        ),
        (
            "<table><tr><th colspan=2>Europe<tr><td>DE<td>1<tr><th colspan=2>Asia<tr><td>JP<td>2</table>",
            "| | |\n| --- | --- |\n| Europe | |\n| DE | 1 |\n| Asia | |\n| JP | 2 |",
        ),
        (
            "<table><tr><th colspan=2>Fees<tr><th>c<th>p<tr><td>DE<td>1</table>",
            "| Fees | |\n| ---- | --- |\n| c | p |\n| DE | 1 |",
        ),
        // One cell that holds more does not make a page of a table.
        (
            "<table><tr><td>Plan<td>Price<td>Includes</tr><tr><td>Free<td>0<td><table><tr><td>a<td>b<tr><td>c<td>d</table></tr><tr><td>Gold<td>10<td>all</tr></table>",
            "| Plan | Price | Includes |\n| --- | --- | --- |\n| Free | 0 | a \\| b<br>c \\| d |\n| Gold | 10 | all |",
        ),
        (
            "<table><tr><th>a<tr><td><table><tr><td>h<td>i<td>j<tr><td colspan=2>x<td>y<tr><td rowspan=2>r<td>s<td>t<tr><td>u<td>v</table></table>",
            "| a |\n| --- |\n| h \\| i \\| j<br>x \\|  \\| y<br>r \\| s \\| t<br> \\| u \\| v |",
        ),
        // Names of columns that come again are told by an empty cell more, which no reader shows.
        (
            "<table><tr><th>c<th>p<tr><td>DE<td>1<tr><th>c<th>q<tr><td>JP<td>2</table>",
            "| c | p |\n| --- | --- |\n| DE | 1 |\n| c | q | |\n| JP | 2 |",
        ),
        // An empty head is not what names the columns.
        (
            "<table><thead><tr><th><th></thead><tbody><tr><th>c<th>p<tr><td>DE<td>1</table>",
            "| | |\n| ---- | --- |\n| c | p |\n| DE | 1 |",
        ),
        // What is repeated along a span are words.
        (
            "<table><tr><td>h<td>i<tr><td rowspan=2><b>Region</b><br><a href=/x>one</a><td>1<tr><td>2</table>",
            "| h | i |\n| --- | --- |\n| **Region**<br>[one](https://acme.example.com/x) | 1 |\n| Region<br>one | 2 |",
        ),
        (
            "<table><tr><td>h<td>i<tr><td rowspan=2><del>old</del> new<td>1<tr><td>2</table>",
            "| h | i |\n| --- | --- |\n| ~~old~~ new | 1 |\n| | 2 |",
        ),
        ("<ul><li><table><tr><td>a</td></tr></table></li><li>b</li></ul>", "- | a |\n  | --- |\n\n- b"),
        (
            "<table><tr style='text-decoration: line-through'><td>a</td><td>b</td></tr></table>",
            "| ~~a~~ | ~~b~~ |\n| --- | --- |",
        ),
    ] {
        becomes(html, expected);
    }
}

#[test]
fn code_in_every_form() {
    for (html, expected) in [
        ("<pre>a\n  b\n</pre>", "```\na\n  b\n```"),
        ("<pre><code class='language-rust'>a</code></pre>", "```rust\na\n```"),
        ("<pre class='language-<b>'>a</pre>", "```\na\n```"),
        ("<pre>```\nx\n```</pre>", "````\n```\nx\n```\n````"),
        ("<pre><div>a</div><div>b</div></pre>", "```\na\nb\n```"),
        ("<pre><span class=l>a</span>\n<span class=l>b</span></pre>", "```\na\nb\n```"),
        ("<p>Run <code>a<br>b</code> now</p>", "Run\n\n```\na\nb\n```\n\nnow"),
        ("<p><code>a`b</code> <code>`</code> <code> x </code></p>", "``a`b`` `` ` `` `  x  `"),
        ("<p><code>a <b>b</b></code></p>", "`a b`"),
        ("<p><code>a</code><code>b</code></p>", "`ab`"),
        ("<p><b><code>a</code></b></p>", "**`a`**"),
        ("<p><a href=/x><code>a</code></a></p>", "[`a`](https://acme.example.com/x)"),
        ("<p><kbd>Ctrl</kbd>+<kbd>C</kbd></p>", "Ctrl+C"),
        ("<ul><li><pre>a\n\nb</pre></li></ul>", "- ```\n  a\n\n  b\n  ```"),
        (
            "<pre>see <a href=/x>x</a><img src=/i alt=pic></pre>",
            "```\nsee x\n```\n\n[x](https://acme.example.com/x) ![pic](https://acme.example.com/i)",
        ),
        ("<xmp><b>a</b></xmp>", "```\n<b>a</b>\n```"),
        ("<pre> \n </pre><code></code>", ""),
        (
            "<pre>a<img src='/i.png' alt='pic'>b</pre>",
            "```\nab\n```\n\n![pic](https://acme.example.com/i.png)",
        ),
        ("<p><code>&nbsp;&nbsp;&nbsp;&nbsp;return 1</code></p>", "`    return 1`"),
        ("<pre><code>&nbsp;&nbsp;a&nbsp;b</code></pre>", "```\n  a b\n```"),
        ("<p>a<code>&nbsp;b&nbsp;c&nbsp;</code>d</p>", "a`  b c  `d"),
        ("<p><code>&nbsp;a</code> <code>a&nbsp;&nbsp; b\tc</code></p>", "` a` `a   b\tc`"),
        ("<p>a<code>\n  b  c\n</code>d</p>", "a `b  c` d"),
        ("<p><code>a<i> </i>b<i>&nbsp; </i></code></p>", "`a b  `"),
        ("<p><code style='white-space: pre-wrap'>a\n  b</code></p>", "```\na\n  b\n```"),
        ("<pre>10<sup>6</sup> V<sub>max</sub>;<sup>1</sup></pre>", "```\n10^6 V_max;1\n```"),
        ("<pre>was <del>10</del>\n  now 9</pre>", "`was `~~`10`~~  \n`  now 9`"),
        ("<pre>a<span style='vertical-align: super'>6</span></pre>", "```\na6\n```"),
        ("<p><code>10<sup>6</sup> <del>x</del></code></p>", "`10^6 `~~`x`~~"),
        (
            "<p><code>2<sup>10</sup></code> <code>a<sub>1</sub>+ <sup>x</sup></code> <code>x<sub>i</sub></code></p>",
            "`2^10` `a1+ x` `x_i`",
        ),
        ("<del><pre>a\n  b</pre></del>", "~~`a`  \n`  b`~~"),
        (
            "<pre><span style='display:block'>a</span><span style='display: block'>b</span></pre>",
            "```\na\nb\n```",
        ),
    ] {
        becomes(html, expected);
    }
}

#[test]
fn lists_legal_and_illegal() {
    for (html, expected) in [
        ("<ul><li>a</li></ul><ul><li>b</li></ul>", "- a\n\n* b"),
        ("<ol><li>a</li></ol><ol><li>b</li></ol>", "1. a\n\n1) b"),
        ("<ol start=3><li>a</li><li value=9>b</li><li>c</li></ol>", "3. a\n\n9) b\n10) c"),
        ("<ol reversed><li>a</li><li>b</li></ol>", "2. a\n\n1) b"),
        ("<ol start=-1><li>a</li><li>b</li></ol>", "- -1: a\n0. b"),
        ("<ul><li>a<ol start=5><li>b</li></ol></li></ul>", "- a\n\n  5. b"),
        ("<ul><li><p>a</p><p>b</p></li><li>c</li></ul>", "- a\n\n  b\n- c"),
        ("<ul><li>a</li><ul><li>b</li></ul><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<ol><li>a</li><ol><li>b</li></ol><li>c</li></ol>", "1. a\n   1. b\n2. c"),
        ("<ul><ul><li>a</li></ul></ul>", "- a"),
        ("<ul><ul><li>a</li></ul><li>b</li></ul>", "- - a\n- b"),
        ("<ul>intro<li>a</li></ul>", "intro\n\n- a"),
        ("<ul><li>a</li><p>b</p><li>c</li></ul>", "- a\n\n  b\n- c"),
        ("<ul><div><li>a</li><li>b</li></div></ul>", "- a\n- b"),
        ("<li>a</li><li>b</li>", "- a\n- b"),
        ("<ul><li></li><li>a</li></ul>", "- a"),
        ("<ol><li>a</li><li></li><li>c</li><li></li></ol>", "1. a\n2.\n3. c"),
        (
            "<ul><li><h3>t</h3>x</li><li><blockquote>q</blockquote></li><li><hr></li></ul>",
            "- ### t\n\n  x\n- > q\n- ___",
        ),
        ("<ul><li>- a</li><li>1. b</li><li>[x] c</li></ul>", "- \\- a\n- 1\\. b\n- \\[x] c"),
        ("<dl><dt>t</dt><dd>m</dd><dd><p>n</p><ul><li>o</li></ul></dd></dl>", "t\n: m\n: n\n\n  - o"),
        ("<dl><dt>t</dt><dd>m</dd><dd>n</dd><dt>u</dt><dd>o</dd></dl>", "t\n: m\n: n\n\nu\n: o"),
        ("<dl><dt>t</dt><dd><ul><li>m</li></ul></dd><dd>n</dd></dl>", "t\n:\n\n  - m\n\n: n"),
        (
            "<dl><dt>t</dt><dd><table><tr><th>a</th></tr><tr><td>b</td></tr></table></dd></dl>",
            "t\n:\n\n  | a |\n  | --- |\n  | b |",
        ),
        (
            "<table><tr><th>a</th></tr><tr><td><dl><dt>t</dt><dd>m</dd><dd>n</dd></dl></td></tr></table>",
            "| a |\n| --- |\n| t<br>: m<br>: n |",
        ),
        ("<dl><dt>t</dt><dd><pre>x</pre></dd></dl>", "t\n:\n\n  ```\n  x\n  ```"),
        (
            "<dl><dt>a<dd>b<dl><dt>c<dd>d<dl><dt>e<dd><p>f</p><table><tr><th>g<tr><td>h</table></dl></dl></dl>",
            "a\n: b\n\n  c\n  : d\n\n  e\n  : f\n\n  | g |\n  | --- |\n  | h |",
        ),
        ("<ul><li>a<br><br>b</li></ul>", "- a\n\n  b"),
        // A text refers to the letters.
        ("<ol type=a><li>x</li><li><p>y</p></li></ol>", "1. (a) x\n2. (b) y"),
        ("<ol type=I start=4><li>x</li><li value=9><b>y</b></li></ol>", "4. (IV) x\n\n9) (IX) **y**"),
        (
            "<ol style='list-style-type: lower-roman'><li>x</li><li></li><li>y</li></ol>",
            "1. (i) x\n2.\n3. (iii) y",
        ),
        ("<ol type=A start=27><li>x<ol type=1><li>y</li></ol></li></ol>", "27. (AA) x\n    1. y"),
        ("<ol type=a start=0><li>x</li></ol><ul type=a><li>y</li></ul>", "0. x\n\n- y"),
    ] {
        becomes(html, expected);
    }
}

#[test]
fn lines_of_text() {
    for (html, expected) in [
        ("<b>a</b><b>b</b>", "**ab**"),
        ("<b>a </b>b", "**a** b"),
        ("<b>a:</b>b", "<strong>a:</strong>b"),
        ("a<b> b</b>", "a **b**"),
        ("<i>a</i><b>b</b>", "*a*<strong>b</strong>"),
        ("<b>a<i>b</i></b>", "**a<em>b</em>**"),
        ("<b><i>a</i></b>", "***a***"),
        ("<b><br></b>x<i> </i>y", "x y"),
        ("<b style='font-weight: normal'>a</b>", "a"),
        ("日本<b>語。</b>日本", "日本<strong>語。</strong>日本"),
        ("<s>a</s> <strike>b</strike> <del>c</del>", "~~a b c~~"),
        ("<span style='color:red;text-decoration:line-through'>a</span>", "~~a~~"),
        ("a<br>b<br/><br>c", "a  \nb\n\nc"),
        ("<h2>a<br>b #</h2>", "## a b \\#"),
        ("<h2><p>a</p><p>b</p></h2>", "## a b"),
        ("<h2>a<ul><li>b</li></ul>c</h2>", "## a\n\n- b\n\n## c"),
        ("<h2> <br></h2><h2><a name=x></a></h2>", ""),
        (
            "<p># a<br>- b<br>1. c<br>&gt; d<br>===<br>---</p>",
            "\\# a  \n\\- b  \n1\\. c  \n\\> d  \n\\===  \n\\---",
        ),
        (
            "<q>a</q> <ruby>漢<rt>kan</rt></ruby> <ruby>字<rp>(</rp><rt>ji</rt><rp>)</rp></ruby>",
            "“a” 漢(kan) 字(ji)",
        ),
        (
            "<abbr title=x>HTML</abbr> <time>1</time> <mark>m</mark> <u>u</u> <ins>i</ins> <var>v</var>",
            "HTML 1 m u i v",
        ),
        ("<bdi>إيان</bdi> <span dir=rtl>שלום</span>", "إيان שלום"),
        ("super<wbr>cali", "supercali"),
        (
            "<p class=MsoNormal><span lang=EN-US style='mso-x:y'>a<o:p></o:p></span></p><p><o:p>&nbsp;</o:p></p>",
            "a",
        ),
        ("<center><font color=red>a</font></center>b", "a\n\nb"),
        ("<p>a<p>b<div>c", "a\n\nb\n\nc"),
        ("<b><p>a</p><p>b</p></b>", "**a**\n\n**b**"),
        ("<details><summary>s</summary><p>d</p></details>", "s\n\nd"),
        ("<blockquote>a<ul><li>b</li></ul></blockquote><blockquote>c</blockquote>", "> a\n>\n> - b\n\n> c"),
        ("a<hr>b", "a\n\n---\n\nb"),
        ("<!-- c --><![CDATA[d]]>e", "e"),
        (
            "<button>Go</button> <input type=submit value=Send> <input type=checkbox checked>yes",
            "Go Send ☑ yes",
        ),
        ("<label>Name</label><select><option>a</option><option>b</option></select>", "Name\n\na\n\nb"),
        (
            "<select><optgroup label='Red &lt;b>'><option>a</option><option label=b></option></optgroup></select>",
            "Red \\<b>\n\na\n\nb",
        ),
        (
            "ID <input readonly value='A-1'> <input type=text value='*x*' disabled> <input type=hidden value=h> <input type=password value=p> <input type=reset value=Clear>",
            "ID A-1 \\*x\\* Clear",
        ),
        (
            "f <script type='math/tex'>x^2 &lt; *y*</script> g <script type='math/tex; mode=display'>\nz\n</script><script type='text/javascript'>h</script>",
            "f `x^2 &lt; *y*` g\n\n`z`",
        ),
        ("<table><tr><script type='math/tex'>x</script><td>a</table>", "| a |\n| --- |"),
        ("<p style='white-space: pre-line'>a  b\n c\n\nd</p>", "a b  \nc\n\nd"),
        (
            "<div style='white-space:pre-wrap'>if x\n    # y\n\tz<span style='white-space: normal'>\nn</span></div>",
            "if x  \n\u{a0}\u{a0}\u{a0}\u{a0}# y  \n\u{a0}\u{a0}\u{a0}\u{a0}z n",
        ),
        ("<textarea>\n<b>a</b>\n  1. b</textarea>c", "\\<b>a\\</b>  \n\u{a0}\u{a0}1. b  \nc"),
        (
            "<p>a<br>&nbsp;&nbsp;&nbsp;&nbsp;- b<br>&nbsp; <b>c&nbsp;&nbsp;d</b><br>&nbsp;&nbsp;<br>e</p>",
            "a  \n\u{a0}\u{a0}\u{a0}\u{a0}- b  \n**c d**\n\ne",
        ),
        ("a<br><br>&nbsp;&nbsp;<b>x</b>", "a\n\n\u{a0}\u{a0}**x**"),
        ("<p>&nbsp;&nbsp;<i>a</i></p><h2>&nbsp;&nbsp;b</h2>", "\u{a0}\u{a0}*a*\n\n## b"),
        ("5 &lt; 6 &amp; 7 &gt; 3, a &amp;lt; b", "5 < 6 & 7 > 3, a \\&lt; b"),
        ("<span style='display:block'>a</span><span style='display: block'>b</span>c", "a\n\nb\n\nc"),
        ("<button>j</button><button>k</button>l", "j k l"),
        (":smile: 10:30:45 ~5 * 3", "\\:smile: 10:30:45 \\~5 * 3"),
    ] {
        becomes(html, expected);
    }
}

#[test]
fn raised_and_lowered_text() {
    for (html, expected) in [
        ("10<sup>6</sup>", "10^6"),
        ("10<sup>-3</sup>g", "10^-3 g"),
        ("x<sup>n+1</sup>", "x^(n+1)"),
        ("2<sup>nd</sup> 1<sup>er</sup>", "2nd 1er"),
        ("2<sup>n</sup>", "2^n"),
        ("word<sup>1</sup>.", "word^1."),
        ("word<sup>[1]</sup>", "word\\[1]"),
        ("word<sup><a href='#1'>1</a></sup>", "word^[1](https://acme.example.com/hc/en-us/articles/1#1)"),
        ("Acme<sup>®</sup> Na<sup>+</sup>", "Acme® Na^+"),
        ("<sup>1</sup> See", "^1 See"),
        ("<sub>small print here</sub>", "small print here"),
        ("H<sub>2</sub>O C<sub>6</sub>H<sub>12</sub>", "H2O C6H12"),
        ("V<sub>max</sub>", "V_max"),
        ("log<sub>2</sub>8 1010<sub>2</sub>", "log_2 8 1010_2"),
        ("10<span style='vertical-align: super'>6</span>", "10^6"),
        ("10<span style='position:relative;top:-5.0pt;mso-text-raise:5.0pt'>6</span>", "10^6"),
        ("10<span style='position:relative; bottom: 5px'>6</span>", "10^6"),
        ("10<span style='mso-text-raise:5.0pt'>6</span>", "10^6"),
        ("10<span style='vertical-align:5px'>6</span>", "10^6"),
        ("10<span style='vertical-align:.4em'>6</span>", "10^6"),
        ("10<span style='vertical-align:30%!important'>6</span>", "10^6"),
        ("10<span style='vertical-align: text-top'>6</span>", "10^6"),
        ("V<span style='position:relative;top:3.0pt;mso-text-raise:-3.0pt'>max</span>", "V_max"),
        ("V<span style='vertical-align:text-bottom'>max</span>", "V_max"),
        ("10<span style='vertical-align:1px'>6</span>", "106"),
        ("10<span style='top:-5pt'>6</span>", "106"),
        ("10<sup><span style='vertical-align:super'>6</span></sup>", "10^6"),
        ("10 <sup>-3</sup>", "10 ^-3"),
        ("10&nbsp;<sup>-6</sup>", "10 ^-6"),
        ("10<sup> -9</sup> 10<sup>&nbsp;-6</sup>g", "10^-9 10^-6 g"),
        ("10\n  <sup>-3</sup>", "10 ^-3"),
        ("<b>10 </b><sup>-6</sup>", "**10** ^-6"),
        ("x <sup>n+1</sup> m s <sup>\u{2212}1</sup> mol <sup>–1</sup>", "x ^(n+1) m s ^\u{2212}1 mol ^–1"),
        ("10<sup> (6)</sup> 10<sup>∞</sup> 10<sup>6 </sup>g", "10^(6) 10^∞ 10^6 g"),
        ("Ca <sup>2+</sup> 2 <sup>n</sup>", "Ca ^2+ 2 ^n"),
        ("word<sup> 1</sup> note <sup>a</sup> Acme <sup>®</sup> <sup>™</sup>", "word^1 note a Acme ® ™"),
        ("2 <sup>nd</sup> 3 <sup>1/2</sup> 1 <sup>a</sup> up <sup>(1)</sup>", "2 nd 3 1/2 1 a up (1)"),
        ("10<sup>1</sup><sup>2</sup>", "10^12"),
        ("10<sup>-</sup><b><sup>3</sup></b>g", "10^-**3** g"),
        ("word<sup>1</sup><sup>2</sup>", "word^1 ^2"),
        ("V<sub>m</sub><sub>ax</sub>", "V_max"),
        ("5<sup>1/2</sup>", "5^(1/2)"),
        ("5<sup>1/</sup><sub>2</sub> 5<sup>1</sup><sub>/2</sub>", "5 1/2 5 1/2"),
        ("3<sup>1</sup>/<sub>2</sub>", "3 1/2"),
        ("5<sup>3</sup>&frasl;<sub>4</sub>cups", "5 3/4 cups"),
        ("<sup>1</sup>/<sub>2</sub>", "1/2"),
        ("<code>f</code><sup>note</sup>", "`f`^note"),
        ("x<sup>n</sup>/<sub>2</sub>", "x^n/\\_2"),
        (
            "<math><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><mfrac><mn>1</mn><mn>2</mn></mfrac></math>",
            "x^2=1/2",
        ),
        (
            "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></semantics></math>",
            "x^2",
        ),
    ] {
        becomes(html, expected);
    }
}

#[test]
fn deep_nesting_ends_and_code_in_it_stays_code() {
    let html = format!("{}x<pre>a\n<script>alert(1)</script>\n# b</pre>", "<ul><li>".repeat(60))
        .replace("<script>", "&lt;script>");
    let converted = converted(&html);
    assert_eq!(faults(&converted), None);
    let prefix = converted.markdown.lines().map(|line| line.len() - line.trim_start().len()).max().unwrap();
    assert!((30..=40).contains(&prefix), "{prefix}");
    let code: Vec<_> = dom::all(&dom::rendered(&converted.markdown))
        .into_iter()
        .filter(|it| dom::tag(it) == "pre")
        .collect();
    assert_eq!(code.len(), 1);
    // As deep as articles go, every level is kept.
    let html = format!("{}x", "<ul><li>a".repeat(12));
    assert_eq!(differences(&html, &crate::converted(&html)), None);
}

#[test]
fn a_spanning_cell_is_repeated_while_it_is_short_and_there_is_room() {
    let table = |words: usize, rows: usize| {
        let rest = "<tr><td>y".repeat(rows - 1);
        format!("<table><tr><td>h<td>i<tr><td rowspan={rows}>{}<td>y{rest}</table>", "w".repeat(words))
    };
    let count = |html: &str| converted(html).markdown.lines().filter(|line| line.starts_with("| w")).count();
    let room = format!("<p>{}</p>", "x".repeat(500));
    assert_eq!(count(&format!("{room}{}", table(80, 3))), 3);
    assert_eq!(count(&format!("{room}{}", table(81, 3))), 1);
    // What is repeated may come to as much as the HTML.
    let html = table(80, 1_000);
    let repeated = count(&html) - 1;
    assert!(repeated * 80 <= html.len() && (repeated + 1) * 80 > html.len(), "{repeated}");
}
