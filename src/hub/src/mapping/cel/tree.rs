//! Parts of a syntax tree: made, looked at, and counted.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators as op};

use super::meter::SPEND;
use super::variables::METER;

pub(super) fn null() -> Expr {
    Expr::Literal(LiteralValue::Null)
}

pub(super) fn meter() -> IdedExpr {
    IdedExpr { id: 0, expr: Expr::Ident(METER.to_owned()) }
}

pub(super) fn function(id: u64, name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    IdedExpr { id, expr: Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }) }
}

pub(super) fn operator(id: u64, name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    function(id, name, args)
}

/// `@spend(meter, node)`, once, and not around what is small by itself.
pub(super) fn spending(node: IdedExpr) -> IdedExpr {
    let spent = is_literal(&node) || matches!(&node.expr, Expr::Call(call) if call.func_name == SPEND);
    if spent { node } else { function(node.id, SPEND, vec![meter(), node]) }
}

/// The sum inside `@spend(meter, a + b)`; everything else as it is.
pub(super) fn unspent_sum(mut node: IdedExpr) -> IdedExpr {
    let is_sum = |node: &IdedExpr| matches!(&node.expr, Expr::Call(call) if call.func_name == op::ADD);
    match &mut node.expr {
        Expr::Call(call) if call.func_name == SPEND && call.args.last().is_some_and(is_sum) => {
            call.args.pop().unwrap_or_default()
        }
        _ => node,
    }
}

pub(super) fn is_literal(node: &IdedExpr) -> bool {
    matches!(node.expr, Expr::Literal(_))
}

pub(super) fn literal_text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(made) => vec![&made.iter_range, &made.loop_step],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => entries(map.entries.iter().map(|entry| &entry.expr)),
        Expr::Struct(made) => entries(made.entries.iter().map(|entry| &entry.expr)),
        Expr::Select(select) => vec![&select.operand],
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn entries<'a>(entries: impl Iterator<Item = &'a EntryExpr>) -> Vec<&'a IdedExpr> {
    entries
        .flat_map(|entry| match entry {
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            EntryExpr::StructField(field) => vec![&field.value],
        })
        .collect()
}

/// Whether a tree is deeper than `limit`; without recursion.
pub(super) fn depth_over(root: &IdedExpr, limit: usize) -> bool {
    let mut open = vec![(root, 1)];
    while let Some((node, depth)) = open.pop() {
        if depth > limit {
            return true;
        }
        open.extend(children(node).into_iter().map(|child| (child, depth + 1)));
    }
    false
}

pub(super) fn count(root: &IdedExpr) -> usize {
    let mut open = vec![root];
    let mut nodes = 0;
    while let Some(node) = open.pop() {
        nodes += 1;
        open.extend(children(node));
    }
    nodes
}
