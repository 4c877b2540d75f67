//! The walk over the syntax tree: what may stand there, and where the meters go.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, SourceInfo, operators as op,
};
use cel::parser::Parser;
use regex::RegexBuilder;

use super::Problem;
use super::meter::{BURN, MATCH, Pattern};
use super::tree::{
    count, depth_over, function, is_literal, literal_text, meter, null, operator, spending, unspent_sum,
};
use super::variables::{NAMES, PATTERN, REQUEST_FIELDS, VARIABLES};
use crate::suggest::hint;

/// The deepest tree to evaluate, the meters counted. A chain of operators is as deep as
/// it is long. The interpreter needs up to 40 kB of stack for a level in a debug build.
const MAX_DEPTH: usize = 28;

/// The parser needs up to 160 kB of stack for one bracket in a debug build, so it gets
/// a stack of its own. Expressions are compiled when they are saved, never in a login.
const PARSER_STACK: usize = 32 * 1024 * 1024;

/// A literal list that may stand inside another loop, or around one.
const SMALL_LIST: usize = 32;

/// The longest pattern, in octets, and the largest compiled one.
const MAX_PATTERN: usize = 256;
const MAX_PATTERN_SIZE: usize = 256 * 1024;

/// The longest separator of `join` and replacement of `replace`.
const MAX_FILLER: usize = 32;

/// Functions by name; whether they may stand alone, and behind a value's dot.
const FUNCTIONS: &[(&str, bool, bool)] = &[
    ("size", true, true),
    ("contains", false, true),
    ("startsWith", false, true),
    ("endsWith", false, true),
    ("matches", true, true),
    ("lowerAscii", false, true),
    ("upperAscii", false, true),
    ("trim", false, true),
    ("split", false, true),
    ("join", false, true),
    ("replace", false, true),
    ("substring", false, true),
    ("indexOf", false, true),
    ("lastIndexOf", false, true),
    ("charAt", false, true),
    ("string", true, false),
    ("int", true, false),
    ("uint", true, false),
    ("double", true, false),
    ("bool", true, false),
    ("type", true, false),
    ("dyn", true, false),
];

/// Macros, for the nearest name only: the parser has replaced them.
const MACROS: &[&str] = &["has", "all", "exists", "exists_one", "map", "filter"];

const TYPES: &[&str] = &["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"];

const OPERATORS: &[&str] = &[
    op::CONDITIONAL,
    op::LOGICAL_AND,
    op::LOGICAL_OR,
    op::LOGICAL_NOT,
    op::SUBSTRACT,
    op::ADD,
    op::MULTIPLY,
    op::DIVIDE,
    op::MODULO,
    op::EQUALS,
    op::NOT_EQUALS,
    op::GREATER_EQUALS,
    op::LESS_EQUALS,
    op::GREATER,
    op::LESS,
    op::NEGATE,
    op::INDEX,
    op::IN,
];

pub(super) struct Checked {
    pub(super) expression: IdedExpr,
    pub(super) patterns: Vec<Pattern>,
}

/// Parses an expression, checks it, and puts the meters in.
pub(super) fn check(source: &str) -> Result<Checked, Vec<Problem>> {
    let lost = || vec![Problem { position: None, message: "the expression could not be read".to_owned() }];
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().stack_size(PARSER_STACK).spawn_scoped(scope, || parse(source));
        parser.map_err(|_| lost())?.join().map_err(|_| lost())?
    })
}

fn parse(source: &str) -> Result<Checked, Vec<Problem>> {
    let (tree, info) = Parser::new().parse_with_source_info(source).map_err(|errors| {
        let one = |error: &cel::ParseError| Problem {
            position: usize::try_from(error.pos.0).ok().zip(usize::try_from(error.pos.1).ok()).filter(|at| at.0 > 0),
            message: plain_syntax_error(&error.msg),
        };
        errors.errors.iter().take(5).map(one).collect::<Vec<_>>()
    })?;
    let mut checker = Checker {
        source,
        info: &info,
        locals: Vec::new(),
        loops: Vec::new(),
        patterns: Vec::new(),
        problems: Vec::new(),
    };
    let expression = checker.walk(tree);
    if checker.problems.is_empty() && depth_over(&expression, MAX_DEPTH) {
        let message = "the expression is too deep: use shorter chains, or split it over several claims".to_owned();
        return Err(vec![Problem { position: None, message }]);
    }
    if checker.problems.is_empty() {
        Ok(Checked { expression, patterns: checker.patterns })
    } else {
        Err(checker.problems)
    }
}

struct Checker<'s> {
    source: &'s str,
    info: &'s SourceInfo,
    /// Loop variables in sight.
    locals: Vec<String>,
    /// For each loop around: whether it runs over a short literal list.
    loops: Vec<bool>,
    patterns: Vec<Pattern>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn walk(&mut self, node: IdedExpr) -> IdedExpr {
        let id = node.id;
        let expr = match node.expr {
            literal @ Expr::Literal(_) => literal,
            Expr::Ident(name) => self.ident(id, name),
            Expr::Select(mut select) => {
                if self.is_attr(&select.operand) {
                    return self.attr_field(id, select.field, select.test);
                }
                self.check_request_field(id, &select.operand, &select.field);
                select.operand = Box::new(self.walk(*select.operand));
                Expr::Select(select)
            }
            Expr::Call(call) => return self.call(id, call),
            Expr::Comprehension(comprehension) => self.comprehension(id, *comprehension),
            Expr::List(list) => {
                let elements = list.elements.into_iter().map(|element| self.walk_spending(element)).collect();
                Expr::List(ListExpr::new(elements))
            }
            Expr::Map(mut map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        entry.key = self.walk_spending(std::mem::take(&mut entry.key));
                        entry.value = self.walk_spending(std::mem::take(&mut entry.value));
                    }
                }
                Expr::Map(map)
            }
            Expr::Struct(made) => {
                self.complain(id, format!("there are no types to make here; `{}` is unknown", made.type_name));
                null()
            }
            Expr::Unspecified => {
                self.complain(id, "the expression is incomplete".to_owned());
                null()
            }
        };
        IdedExpr { id, expr }
    }

    fn walk_spending(&mut self, node: IdedExpr) -> IdedExpr {
        let walked = self.walk(node);
        spending(walked)
    }

    fn ident(&mut self, id: u64, name: String) -> Expr {
        let known = self.is_local(&name) || VARIABLES.contains(&name.as_str()) || TYPES.contains(&name.as_str());
        if !known {
            let names = VARIABLES.iter().copied().chain(self.locals.iter().map(String::as_str));
            let message = format!("there is no variable called `{name}`{}", hint(&name, names));
            self.complain(id, message);
        } else if name == "attr" {
            let message = "`attr` is used as attr['name'], attr.name or 'name' in attr";
            self.complain(id, message.to_owned());
        }
        Expr::Ident(name)
    }

    /// `attr.mail` is `attr['mail']`, and `has(attr.mail)` is `'mail' in attr`: the
    /// map answers every name, so that asking it for one would always say yes.
    fn attr_field(&mut self, id: u64, field: String, test: bool) -> IdedExpr {
        let name = IdedExpr { id, expr: Expr::Literal(LiteralValue::String(field.into())) };
        let attr = IdedExpr { id, expr: Expr::Ident("attr".to_owned()) };
        if test { operator(id, op::IN, vec![name, attr]) } else { spending(operator(id, op::INDEX, vec![attr, name])) }
    }

    fn check_request_field(&mut self, id: u64, operand: &IdedExpr, field: &str) {
        if matches!(&operand.expr, Expr::Ident(name) if name == "request" && !self.is_local(name))
            && !REQUEST_FIELDS.contains(&field)
        {
            let near = hint(field, REQUEST_FIELDS.iter().copied());
            self.complain(id, format!("`request` has no `{field}`{near}"));
        }
    }

    fn call(&mut self, id: u64, call: CallExpr) -> IdedExpr {
        if call.target.is_none() && OPERATORS.contains(&call.func_name.as_str()) {
            return self.operator(id, call);
        }
        let name = call.func_name.as_str();
        let method = call.target.is_some();
        match FUNCTIONS.iter().find(|(known, _, _)| *known == name) {
            None => {
                let known = FUNCTIONS.iter().map(|(name, _, _)| *name).chain(MACROS.iter().copied());
                let message = if MACROS.contains(&name) {
                    format!("`{name}` is written differently; see the language's macros")
                } else {
                    format!("there is no function called `{name}`{}", hint(name, known))
                };
                self.complain(id, message);
                return IdedExpr { id, expr: null() };
            }
            Some((_, _, false)) if method => self.complain(id, format!("write `{name}(x)` and not `x.{name}()`")),
            Some((_, false, _)) if !method => self.complain(id, format!("write `x.{name}(…)` and not `{name}(x, …)`")),
            Some(_) => {}
        }
        match name {
            "matches" => return self.matches(id, call),
            "join" => self.require_filler(id, call.args.first(), "the separator of `join`"),
            "replace" => self.require_filler(id, call.args.get(1), "the replacement of `replace`"),
            _ => {}
        }
        let target = call.target.map(|target| Box::new(self.walk_spending(*target)));
        let args = call.args.into_iter().map(|argument| self.walk_spending(argument)).collect();
        IdedExpr { id, expr: Expr::Call(CallExpr { func_name: call.func_name, target, args }) }
    }

    fn operator(&mut self, id: u64, call: CallExpr) -> IdedExpr {
        let name = call.func_name;
        let attr_at = match name.as_str() {
            op::INDEX => Some(0),
            op::IN => Some(1),
            _ => None,
        };
        let mut args = Vec::with_capacity(call.args.len());
        let mut of_attr = false;
        for (at, argument) in call.args.into_iter().enumerate() {
            if attr_at == Some(at) && self.is_attr(&argument) {
                of_attr = true;
                args.push(argument);
            } else {
                args.push(self.walk(argument));
            }
        }
        match name.as_str() {
            op::INDEX if of_attr => spending(operator(id, &name, args)),
            // A chain pays once, at its end: what it copied on the way is at most MAX_DEPTH times that.
            op::ADD => spending(operator(id, &name, args.into_iter().map(unspent_sum).collect())),
            op::IN if !of_attr => {
                let list = args.pop().map(spending);
                args.extend(list);
                operator(id, &name, args)
            }
            op::EQUALS | op::NOT_EQUALS | op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS
                if !args.iter().any(is_literal) =>
            {
                let args = args.into_iter().map(spending).collect();
                operator(id, &name, args)
            }
            _ => operator(id, &name, args),
        }
    }

    /// `x.matches('…')`: the pattern is compiled now and referred to by number.
    fn matches(&mut self, id: u64, call: CallExpr) -> IdedExpr {
        let mut operands: Vec<IdedExpr> = call.target.map(|target| *target).into_iter().chain(call.args).collect();
        let pattern = operands.pop();
        let (Some(text), true) = (operands.pop(), operands.is_empty()) else {
            self.complain(id, "`matches` takes a text and a pattern".to_owned());
            return IdedExpr { id, expr: null() };
        };
        let text = self.walk_spending(text);
        let Some(pattern) = pattern.as_ref().and_then(literal_text) else {
            self.complain(id, "the pattern of `matches` has to be a literal text".to_owned());
            return IdedExpr { id, expr: null() };
        };
        if pattern.len() > MAX_PATTERN {
            self.complain(id, format!("the pattern has {} octets; {MAX_PATTERN} are allowed", pattern.len()));
            return IdedExpr { id, expr: null() };
        }
        match RegexBuilder::new(pattern).size_limit(MAX_PATTERN_SIZE).dfa_size_limit(MAX_PATTERN_SIZE).build() {
            Ok(regex) => {
                let name = format!("{PATTERN}{}", self.patterns.len());
                self.patterns.push(Pattern { regex });
                function(id, MATCH, vec![meter(), IdedExpr { id, expr: Expr::Ident(name) }, text])
            }
            Err(error) => {
                let reason = match error {
                    regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
                    other => format!("the pattern is not valid: {}", last_line(&other.to_string())),
                };
                self.complain(id, reason);
                IdedExpr { id, expr: null() }
            }
        }
    }

    /// A text that is put in many times is a short literal, so that no call multiplies texts.
    fn require_filler(&mut self, id: u64, argument: Option<&IdedExpr>, what: &str) {
        if let Some(argument) = argument
            && literal_text(argument).is_none_or(|text| text.len() > MAX_FILLER)
        {
            self.complain(id, format!("{what} has to be a literal text of {MAX_FILLER} octets at most"));
        }
    }

    /// A loop. Its skeleton comes from the parser's macros; the parts that the author
    /// wrote are the range, the condition and the body.
    fn comprehension(&mut self, id: u64, mut made: ComprehensionExpr) -> Expr {
        let small = matches!(&made.iter_range.expr, Expr::List(list) if list.elements.len() <= SMALL_LIST);
        let allowed = match self.loops.as_slice() {
            [] => true,
            [around] => small || *around,
            _ => false,
        };
        if !allowed {
            let message = format!(
                "a loop inside a loop: allowed is one, if either runs over a literal list of at most {SMALL_LIST}"
            );
            self.complain(id, message);
        }
        if VARIABLES.contains(&made.iter_var.as_str()) || made.iter_var2.is_some() {
            self.complain(id, format!("`{}` can't be a loop's variable; choose another name", made.iter_var));
        }
        let range = std::mem::take(&mut made.iter_range);
        made.iter_range = if self.is_attr(&range) {
            spending(IdedExpr { id: range.id, expr: Expr::Ident(NAMES.to_owned()) })
        } else {
            self.walk_spending(range)
        };
        self.locals.push(made.iter_var.clone());
        self.loops.push(small);
        made.loop_step = self.step(std::mem::take(&mut made.loop_step), &made.accu_var);
        self.loops.pop();
        self.locals.pop();
        Expr::Comprehension(Box::new(made))
    }

    /// One round of a loop, in the forms that the macros make:
    /// `result && body`, `result || body`, `result + [body]`, `condition ? step : result`, `result + 1`.
    fn step(&mut self, node: IdedExpr, result: &str) -> IdedExpr {
        let id = node.id;
        let Expr::Call(mut call) = node.expr else {
            self.complain(id, "this loop is not known".to_owned());
            return node;
        };
        let is_result =
            |node: Option<&IdedExpr>| matches!(node, Some(IdedExpr { expr: Expr::Ident(name), .. }) if name == result);
        match call.func_name.as_str() {
            op::LOGICAL_AND | op::LOGICAL_OR if call.args.len() == 2 && is_result(call.args.first()) => {
                let body = call.args.pop().unwrap_or_default();
                let guarded = self.guarded(body, LiteralValue::Boolean(false.into()), false);
                call.args.push(guarded);
            }
            op::CONDITIONAL if call.args.len() == 3 && is_result(call.args.get(2)) => {
                let condition = std::mem::take(&mut call.args[0]);
                call.args[0] = self.guarded(condition, LiteralValue::Boolean(false.into()), false);
                let inner = std::mem::take(&mut call.args[1]);
                call.args[1] = self.step(inner, result);
            }
            op::ADD if call.args.len() == 2 && is_result(call.args.first()) => match &mut call.args[1].expr {
                Expr::List(list) if list.elements.len() == 1 => {
                    let body = list.elements.pop().unwrap_or_default();
                    let guarded = self.guarded(body, LiteralValue::Null, true);
                    list.elements.push(guarded);
                }
                Expr::Literal(LiteralValue::Int(_)) => {}
                _ => self.complain(id, "this loop is not known".to_owned()),
            },
            _ => self.complain(id, "this loop is not known".to_owned()),
        }
        IdedExpr { id, expr: Expr::Call(call) }
    }

    /// `@burn(meter, nodes) ? body : otherwise`: the body is paid for before it runs.
    fn guarded(&mut self, body: IdedExpr, otherwise: LiteralValue, copied: bool) -> IdedExpr {
        let id = body.id;
        let price = i64::try_from(count(&body)).unwrap_or(i64::MAX);
        let walked = self.walk(body);
        let body = if copied { spending(walked) } else { walked };
        let price = IdedExpr { id, expr: Expr::Literal(LiteralValue::Int(price.into())) };
        let paid = function(id, BURN, vec![meter(), price]);
        operator(id, op::CONDITIONAL, vec![paid, body, IdedExpr { id, expr: Expr::Literal(otherwise) }])
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|local| local == name)
    }

    fn is_attr(&self, node: &IdedExpr) -> bool {
        matches!(&node.expr, Expr::Ident(name) if name == "attr" && !self.is_local(name))
    }

    fn complain(&mut self, id: u64, message: String) {
        let position = self.info.offset_for(id).map(|(start, _)| place(self.source, start as usize));
        let problem = Problem { position, message };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Line and column of the character at an offset.
fn place(source: &str, offset: usize) -> (usize, usize) {
    source
        .chars()
        .take(offset)
        .fold((1, 1), |(line, column), c| if c == '\n' { (line + 1, 1) } else { (line, column + 1) })
}

/// The parser's message without the list of everything that it would have taken.
fn plain_syntax_error(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    let message = message.split(" expecting ").next().unwrap_or(message);
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let message: String = message.chars().take(160).collect();
    if message.contains("<EOF>") {
        "the expression ends too early, or has something behind its end".to_owned()
    } else {
        format!("syntax error: {message}")
    }
}

fn last_line(message: &str) -> String {
    message.lines().last().unwrap_or_default().trim_start_matches("error: ").chars().take(160).collect()
}
