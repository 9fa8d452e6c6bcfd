//! One line for each kind of link, picture, film and frame: what comes of it.

use crate::kinds::becomes;

#[test]
fn links_pictures_and_films() {
    let acme = "https://acme.example.com";
    for (html, expected) in [
        ("<a href=/x>a</a>", "[a](ACME/x)"),
        ("<a href=/x title='t \"u\"'>a</a>", "[a](ACME/x \"t \\\"u\\\"\")"),
        ("<a href=/x> a </a>b", "[a](ACME/x) b"),
        ("<a href=/x></a><a name=y></a><a id=z>b</a>", "b"),
        ("<a href=/x title=Home></a>", "[Home](ACME/x \"Home\")"),
        ("<a href=/x><svg><title>Home</title></svg></a>", "[Home](ACME/x)"),
        ("<a href=/x><img src=/i alt=a></a>", "[![a](ACME/i)](ACME/x)"),
        ("<a href=/x><h3>t</h3><p>p</p></a>", "### [t](ACME/x)\n\n[p](ACME/x)"),
        ("<a href=/x><pre>npm i</pre></a>", "```\nnpm i\n```\n\n[ACME/x](ACME/x)"),
        ("<a href=/x title=Setup><pre>npm i</pre></a>", "```\nnpm i\n```\n\n[Setup](ACME/x \"Setup\")"),
        (
            "<a href=/x><table><tr><th>a</th></tr><tr><td><pre>q</pre></td></tr></table></a>",
            "| [a](ACME/x) |\n| --- |\n| [`q`](ACME/x) |",
        ),
        ("<a href=/x>a [b] c</a>", "[a \\[b\\] c](ACME/x)"),
        ("<b>a <a href=/x>b</a> c</b>", "**a [b](ACME/x) c**"),
        ("<a href=/x>a <b>b</b></a>", "[a **b**](ACME/x)"),
        ("<a href=javascript:x>a</a> <a href='/a(b)'>c</a>", "a [c](ACME/a\\(b\\))"),
        ("<a href='mailto:a@b.example'>a</a>", "[a](mailto:a@b.example)"),
        ("!<a href=/x>a</a>", "\\![a](ACME/x)"),
        ("<img src=/i alt='a ] b' title=t>", "![a \\] b](ACME/i \"t\")"),
        ("<img src=/i>", "![](ACME/i)"),
        ("<img src=/i alt='^x'> <a href=/x>^1</a>", "![\\^x](ACME/i) [\\^1](ACME/x)"),
        ("<a href='/x?a&amp;lt;b' title='&amp;lt;'>a</a>", "[a](ACME/x?a&amp;lt;b \"&amp;lt;\")"),
        ("<a href=/x><img src='data:image/png,x'></a>", "[ACME/x](ACME/x)"),
        ("<a href=/x><img alt='' title=Shop src='data:image/png,x'></a>", "[Shop](ACME/x)"),
        ("<a href=/x><img alt=Go src='data:image/png,x'></a>", "[Go](ACME/x)"),
        ("<figure class=media><oembed url=/v></oembed></figure>", "[ACME/v](ACME/v)"),
        ("a<oembed url='javascript:x'></oembed><div data-oembed-url=/v></div>", "a\n\n[ACME/v](ACME/v)"),
        ("<div data-oembed-url=/v><iframe src=/w></iframe></div>", "[ACME/w](ACME/w)"),
        ("<figure><img src=/i alt=a><figcaption>c</figcaption></figure>", "![a](ACME/i)\n\nc"),
        ("<video src=/v title=Tour></video>", "[Tour](ACME/v)"),
        ("<audio><source src=/a>No audio.</audio>", "[ACME/a](ACME/a)"),
        ("<embed src=/e>", "[ACME/e](ACME/e)"),
        ("<object data=/o title=Doc>Fallback</object>", "[Doc](ACME/o)"),
        ("<object><p>Shown</p></object>", "Shown"),
        ("<iframe src='//v.example/1' title='A <b>'></iframe>", "[A \\<b>](https://v.example/1)"),
        ("<iframe data-src=/v title=Tour></iframe>", "[Tour](ACME/v)"),
        ("<iframe src=about:blank data-src=/v></iframe>", "[ACME/v](ACME/v)"),
        ("<iframe srcdoc=' ' title=Form></iframe>", "Form"),
        ("<video data-src=/v title=Tour></video>", "[Tour](ACME/v)"),
        ("<video title=Tour><source data-src=/v></video>", "[Tour](ACME/v)"),
        ("<img src=/placeholder.gif data-src=/real.png>", "![](ACME/real.png)"),
        ("<img srcset='/s1.png 1x, /s2.png 2x' alt=a>", "![a](ACME/s1.png)"),
        ("<audio src='javascript:x'>Listen: call 555</audio>", "Listen: call 555"),
        ("a<video poster=/p><a href=/dl>Download</a></video>b", "a [Download](ACME/dl) b"),
        (
            "<img src=/i><map><area href=/one alt='Plan one'><area href=/two><area alt=Rest></map>",
            "![](ACME/i)\n\n[Plan one](ACME/one)\n\n[ACME/two](ACME/two)\n\nRest",
        ),
        ("a<iframe src=/v></iframe>b", "a\n\n[ACME/v](ACME/v)\n\nb"),
    ] {
        becomes(html, &expected.replace("ACME", acme));
    }
}

#[test]
fn frames_that_bring_their_page_along_show_it() {
    for (html, expected) in [
        (
            "<p>a</p><iframe srcdoc='<h2>Plans</h2><p>Gold &amp;amp; more</p>'></iframe>",
            "a\n\n## Plans\n\nGold & more",
        ),
        ("<p>a<iframe srcdoc='b &lt;i>c&lt;/i>' src='/x' title=t></iframe>d</p>", "a\n\nb *c*\n\nd"),
        // Text is not markup, and what readers do not see is not shown.
        (
            "<iframe srcdoc='&amp;lt;b&amp;gt; <script>x</script><img onerror=x alt=pic src=javascript:1>'></iframe>",
            "\\<b> pic",
        ),
        (
            "<iframe srcdoc='<script>x</script>' src='/w' title=Widget></iframe>",
            "[Widget](https://acme.example.com/w)",
        ),
        ("<iframe srcdoc=' ' src='/w'></iframe>", "[https://acme.example.com/w](https://acme.example.com/w)"),
        // A frame in a frame, and addresses of the article that it stands in.
        (
            "<iframe srcdoc='&lt;iframe srcdoc=\"&lt;a href=9>in&lt;/a>\">&lt;/iframe>'></iframe>",
            "[in](https://acme.example.com/hc/en-us/articles/9)",
        ),
        (
            "<table><tr><td>a</td><td><iframe srcdoc='<p>b</p><p>c|d</p>'></iframe></td></tr></table>",
            "| a | b<br>c\\|d |\n| --- | --- |",
        ),
    ] {
        becomes(html, expected);
    }
}
