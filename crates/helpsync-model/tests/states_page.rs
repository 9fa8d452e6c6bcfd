//! docs/states.md shows exactly the edges that the model has.

use std::collections::BTreeSet;

use helpsync_model::{ConnectionState, DeliveryState, Machine, RunState, ShardState};

const PAGE: &str = include_str!("../../../docs/states.md");

/// The edges of the diagram in a section, but for those from and to `[*]`.
fn drawn(section: &str) -> BTreeSet<(String, String)> {
    let (_, text) = PAGE.split_once(&format!("\n## {section}\n")).expect("the section");
    let (_, text) = text.split_once("```mermaid").expect("a diagram");
    let (diagram, _) = text.split_once("```").expect("its end");
    diagram
        .lines()
        .filter_map(|line| line.trim().split_once(" --> "))
        .map(|(from, to)| (from.to_owned(), to.split(':').next().unwrap_or_default().trim().to_owned()))
        .filter(|(from, to)| from != "[*]" && to != "[*]")
        .collect()
}

/// The edges of a machine; those that lead nowhere else only where they are drawn.
fn edges<M: Machine>(drawn: &BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    let all = M::ALL
        .iter()
        .flat_map(|from| M::EVENTS.iter().filter_map(|event| Some((*from, from.after(*event)?))));
    all.map(|(from, to)| (from.as_str().to_owned(), to.as_str().to_owned()))
        .filter(|edge| edge.0 != edge.1 || drawn.contains(edge))
        .collect()
}

#[test]
fn the_diagrams_have_every_edge_of_the_machines_and_no_other() {
    let page = drawn("Run");
    assert_eq!(page, edges::<RunState>(&page));
    let page = drawn("Shard");
    assert_eq!(page, edges::<ShardState>(&page));
    let page = drawn("Connection");
    assert_eq!(page, edges::<ConnectionState>(&page));
    let page = drawn("Delivery");
    assert_eq!(page, edges::<DeliveryState>(&page));
}
