//! The tree as blocks.

use markup5ever_rcdom::{Handle, NodeData};

use crate::blocks::{Article, Block, Columns, Item, Leaf, LeafKind, Link, LinkId, List, Style};
use crate::code::{self, Code};
use crate::{table, tree};

/// What surrounds a piece of text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around {
    pub style: Style,
    pub link: Option<LinkId>,
}

/// The blocks of a cleaned tree.
pub(crate) fn article(document: &Handle) -> Article {
    let mut builder = Builder { links: Vec::new(), images: Vec::new(), columns: Columns::new() };
    let blocks = builder.inside(document, Around::default());
    let Builder { links, images, columns } = builder;
    Article { blocks, links, images, columns }
}

pub(crate) struct Builder {
    links: Vec<Link>,
    images: Vec<String>,
    pub(crate) columns: Columns,
}

/// Blocks that are being made, and the paragraph at their end.
#[derive(Default)]
pub(crate) struct Flow {
    pub blocks: Vec<Block>,
    leaves: Vec<Leaf>,
}

impl Flow {
    fn push(&mut self, kind: LeafKind, around: Around) {
        self.leaves.push(Leaf { kind, style: around.style, link: around.link });
    }

    /// Ends the paragraph. An empty line in it, made of line breaks, makes two of it.
    pub(crate) fn end(&mut self) {
        let mut leaves = std::mem::take(&mut self.leaves).into_iter().peekable();
        let mut part: Vec<Leaf> = Vec::new();
        let mut breaks = 0;
        let blank = |leaf: &Leaf| {
            matches!(&leaf.kind, LeafKind::Text(text) if text.chars().all(char::is_whitespace))
                || leaf.kind == LeafKind::Space
        };
        while let Some(leaf) = leaves.next() {
            match leaf.kind {
                LeafKind::Break => breaks += 1,
                _ if !blank(&leaf) => breaks = 0,
                _ => {}
            }
            if breaks == 2 {
                self.paragraph(std::mem::take(&mut part));
                breaks = 0;
                let mut indent = None;
                while let Some(leaf) = leaves.next_if(|leaf| blank(leaf) || leaf.kind == LeafKind::Break) {
                    indent = (leaf.kind != LeafKind::Break).then_some(leaf);
                }
                part.extend(indent);
                continue;
            }
            part.push(leaf);
        }
        self.paragraph(part);
    }

    fn paragraph(&mut self, leaves: Vec<Leaf>) {
        let says = |leaf: &Leaf| match &leaf.kind {
            LeafKind::Text(text) => !text.trim().is_empty(),
            LeafKind::Image { .. } => true,
            LeafKind::Space | LeafKind::Break => false,
        };
        if leaves.iter().any(says) {
            self.blocks.push(Block::Paragraph(leaves));
        }
    }

    pub(crate) fn done(mut self) -> Vec<Block> {
        self.end();
        self.blocks
    }
}

impl Builder {
    /// The blocks of an element's children.
    pub(crate) fn inside(&mut self, node: &Handle, around: Around) -> Vec<Block> {
        let mut flow = Flow::default();
        self.children(node, around, &mut flow);
        flow.done()
    }

    pub(crate) fn children(&mut self, node: &Handle, around: Around, flow: &mut Flow) {
        for child in node.children.borrow().iter() {
            self.node(child, around, flow);
        }
    }

    pub(crate) fn node(&mut self, node: &Handle, around: Around, flow: &mut Flow) {
        match &node.data {
            NodeData::Text { contents } => {
                flow.push(LeafKind::Text(contents.borrow().to_string()), around);
            }
            NodeData::Element { .. } => {
                let tag = tree::tag(node);
                let around = self.around(node, tag, around);
                if tree::is_block(tag) {
                    flow.end();
                    self.block(node, tag, around, flow);
                    flow.end();
                } else {
                    self.inline(node, tag, around, flow);
                }
            }
            _ => self.children(node, around, flow),
        }
    }

    /// What stands around the children of an element. Inside code only what is struck counts: its letters have colours at most.
    pub(crate) fn around(&mut self, node: &Handle, tag: &str, around: Around) -> Around {
        let mut style = around.style;
        match tag {
            _ if style.has(Style::CODE) => {}
            "b" | "strong" if !tree::is_not_bold(node) => style = style.with(Style::STRONG),
            "i" | "em" => style = style.with(Style::EMPHASIS),
            "code" => style = style.with(Style::CODE),
            _ => {}
        }
        if tree::is_struck(node) {
            style = style.with(Style::STRUCK);
        }
        let link = match tree::words_of(node, "href") {
            Some(address) if tag == "a" => Some(self.link(node, &address)),
            _ => around.link,
        };
        Around { style, link }
    }

    fn inline(&mut self, node: &Handle, tag: &str, around: Around, flow: &mut Flow) {
        match tag {
            "br" => flow.push(LeafKind::Break, around),
            "img" | "image" => {
                let address = tree::attribute(node, "src").map(String::from).unwrap_or_default();
                let alt = tree::attribute(node, "alt").map(String::from).unwrap_or_default();
                let title = tree::words_of(node, "title").map(String::from);
                self.images.push(address.clone());
                let style = around.style.without_code();
                flow.push(LeafKind::Image { address, alt, title }, Around { style, ..around });
            }
            "button" | "video" | "audio" => {
                flow.push(LeafKind::Space, Around::default());
                self.children(node, around, flow);
                flow.push(LeafKind::Space, Around::default());
            }
            "code" if code::is_block(node) => {
                flow.end();
                Self::code(node, around, flow);
            }
            own_line if tree::is_own_line(own_line) => {
                flow.push(LeafKind::Break, Around::default());
                self.children(node, around, flow);
                flow.push(LeafKind::Break, Around::default());
            }
            _ if tree::is_shown_as_block(node) => {
                flow.end();
                self.children(node, around, flow);
                flow.end();
            }
            _ => self.children(node, around, flow),
        }
    }

    fn link(&mut self, node: &Handle, address: &str) -> LinkId {
        let title = tree::words_of(node, "title").map(String::from);
        self.links.push(Link { address: address.to_owned(), title });
        LinkId(self.links.len() - 1)
    }

    fn block(&mut self, node: &Handle, tag: &str, around: Around, flow: &mut Flow) {
        match tag {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = usize::from(tag.as_bytes()[1] - b'0');
                let blocks = self.inside(node, around);
                flow.blocks.extend(headings(blocks, level));
            }
            "hr" => flow.blocks.push(Block::Rule),
            "blockquote" => {
                let blocks = self.inside(node, around);
                if !blocks.is_empty() {
                    flow.blocks.push(Block::Quote(blocks));
                }
            }
            "ul" | "ol" | "menu" | "dir" => self.list(node, tag, around, flow),
            "li" => {
                let item = Item { number: 1, blocks: self.inside(node, around), bare: false };
                match flow.blocks.last_mut() {
                    Some(Block::List(list)) if list.stray => list.items.push(item),
                    _ if item.blocks.is_empty() => {}
                    _ => {
                        flow.blocks.push(Block::List(List {
                            ordered: false,
                            stray: true,
                            items: vec![item],
                        }));
                    }
                }
            }
            "dd" => {
                let blocks = self.inside(node, around);
                if !blocks.is_empty() {
                    flow.blocks.push(Block::Definition(blocks));
                }
            }
            "table" => table::table(self, node, around, flow),
            _ if tree::is_preformatted(tag) => {
                Self::code(node, around, flow);
                self.beside_code(node, around, flow);
            }
            _ => self.children(node, around, flow),
        }
    }

    /// A block of code. No style reaches into a block: code of which anything is struck becomes spans, which can be struck.
    fn code(node: &Handle, around: Around, flow: &mut Flow) {
        let Some(Code { language, text, struck }) = code::block(node) else { return };
        let all_struck = around.style.has(Style::STRUCK);
        if !all_struck && struck.is_empty() {
            flow.blocks.push(Block::Code { language, code: text, link: around.link });
            return;
        }
        let plain = Around { style: around.style.with(Style::CODE), ..around };
        let mut struck = struck.into_iter().peekable();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let words = line.trim_start_matches(' ');
            let indent = line.len() - words.len();
            let end = at + line.trim_end_matches('\n').len();
            let mut from = at + indent;
            let mut before = "\u{a0}".repeat(indent);
            while from < end {
                while struck.next_if(|it| it.end <= from).is_some() {}
                let next = struck.peek().filter(|it| it.start < end);
                let is_struck = next.is_some_and(|it| it.start <= from);
                let to = next.map_or(end, |it| if is_struck { it.end.min(end) } else { it.start });
                let style = if is_struck { plain.style.with(Style::STRUCK) } else { plain.style };
                let words = format!("{}{}", std::mem::take(&mut before), &text[from..to]);
                flow.push(LeafKind::Text(words), Around { style, ..plain });
                from = to;
            }
            flow.push(LeafKind::Break, plain);
            at += line.len();
        }
        flow.end();
    }

    /// Pictures and links of a block of code, which holds only text: after it.
    fn beside_code(&mut self, node: &Handle, around: Around, flow: &mut Flow) {
        for child in node.children.borrow().iter() {
            match tree::tag(child) {
                "img" => {
                    flow.push(LeafKind::Space, Around::default());
                    self.inline(child, "img", around, flow);
                }
                "a" if code::link_matters(child) => {
                    flow.push(LeafKind::Space, Around::default());
                    self.node(child, around, flow);
                }
                _ => self.beside_code(child, around, flow),
            }
        }
    }
}

/// What stands in a heading as one heading; blocks that no heading holds stand between two.
fn headings(blocks: Vec<Block>, level: usize) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::new();
    for block in blocks {
        match (out.last_mut(), block) {
            (Some(Block::Heading(before, words)), Block::Paragraph(leaves)) if *before == level => {
                words.push(Leaf { kind: LeafKind::Break, style: Style::default(), link: None });
                words.extend(leaves);
            }
            (_, Block::Paragraph(leaves)) => out.push(Block::Heading(level, leaves)),
            (_, block) => out.push(block),
        }
    }
    out
}
