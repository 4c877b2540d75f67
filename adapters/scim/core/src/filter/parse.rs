//! From words to a filter: `or` binds least, then `and`, then `not`.

use serde_json::Number;

use super::lexer::{Token, tokens};
use super::{DEPTH, Filter, LONGEST, Literal, Operator, Strange, TERMS, folded, leaf};
use crate::error::{Fault, ScimType, quoted};
use crate::path::{Place, Target, Unknown, resolve};
use crate::schema::{Attribute, Kind, ResourceKind, Returned, Schemas};
use crate::value::{boolean, instant};

/// What the names in a filter are names of.
pub(super) enum Scope<'s> {
    Resource {
        schemas: &'s Schemas,
        kind: ResourceKind,
        strange: Strange,
    },
    /// Parts of one value of this attribute.
    Element(&'s Attribute),
}

pub(super) fn filter<'s>(text: &str, scope: &Scope<'s>) -> Result<Filter<'s>, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::filter(format!("a filter has {LONGEST} octets at most")));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, terms: 0 };
    let filter = parser.or(scope, 0)?;
    match parser.next() {
        None => Ok(filter),
        Some(token) => Err(Fault::filter(format!("{} is not expected there", token_text(token)))),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    terms: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'t Token> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(word));
        self.at += usize::from(found);
        found
    }

    fn or<'s>(&mut self, scope: &Scope<'s>, depth: usize) -> Result<Filter<'s>, Fault> {
        if depth > DEPTH {
            return Err(Fault::filter(format!("a filter is {DEPTH} levels deep at most")));
        }
        let mut all = vec![self.and(scope, depth)?];
        while self.takes("or") {
            all.push(self.and(scope, depth)?);
        }
        Ok(alone(all).unwrap_or_else(Filter::Or))
    }

    fn and<'s>(&mut self, scope: &Scope<'s>, depth: usize) -> Result<Filter<'s>, Fault> {
        let mut all = vec![self.unary(scope, depth)?];
        while self.takes("and") {
            all.push(self.unary(scope, depth)?);
        }
        Ok(alone(all).unwrap_or_else(Filter::And))
    }

    fn unary<'s>(&mut self, scope: &Scope<'s>, depth: usize) -> Result<Filter<'s>, Fault> {
        match self.next() {
            Some(Token::Open) => self.grouped(scope, depth),
            Some(token) if token.is_word("not") && self.peek() == Some(&Token::Open) => {
                self.at += 1;
                Ok(Filter::Not(Box::new(self.grouped(scope, depth)?)))
            }
            Some(Token::Word(path)) => self.term(path, scope, depth),
            Some(token) => Err(Fault::filter(format!("{} stands where an attribute belongs", token_text(token)))),
            None => Err(Fault::filter("the filter ends where an attribute belongs")),
        }
    }

    fn grouped<'s>(&mut self, scope: &Scope<'s>, depth: usize) -> Result<Filter<'s>, Fault> {
        let inner = self.or(scope, depth + 1)?;
        match self.next() {
            Some(Token::Close) => Ok(inner),
            _ => Err(Fault::filter("a ) is missing")),
        }
    }

    fn term<'s>(&mut self, path: &str, scope: &Scope<'s>, depth: usize) -> Result<Filter<'s>, Fault> {
        self.terms += 1;
        if self.terms > TERMS {
            return Err(Fault::filter(format!("a filter has {TERMS} comparisons at most")));
        }
        let place = find(scope, path)?;
        match self.next() {
            Some(Token::OpenBracket) => {
                let target = of_place(place, path)?;
                let element = match target {
                    Some(Target { attribute, sub: None, .. }) if attribute.kind == Kind::Complex => attribute,
                    Some(_) => return Err(Fault::filter(format!("{} has no parts", quoted(path)))),
                    None => return Err(Fault::filter(format!("there is no attribute {}", quoted(path)))),
                };
                let inner = self.or(&Scope::Element(element), depth + 1)?;
                if self.next() != Some(&Token::CloseBracket) {
                    return Err(Fault::filter("a ] is missing"));
                }
                let inner = self.part_behind(element, inner)?;
                let Some(target) = target else { return Ok(Filter::Never) };
                Ok(Filter::Value { target, inner: Box::new(inner) })
            }
            Some(token) if token.is_word("pr") => Ok(match place {
                Some(Place::Extension(schema)) => Filter::Extended(schema.urn.clone()),
                Some(Place::Attribute(target)) => Filter::Present(visible(target)?),
                None => Filter::Never,
            }),
            Some(Token::Word(word)) => {
                let operator =
                    operator(word).ok_or_else(|| Fault::filter(format!("{} is no operator", quoted(word))))?;
                let Some(literal) = self.next() else {
                    return Err(Fault::filter(format!("{word} compares with nothing")));
                };
                match of_place(place, path)? {
                    Some(target) => compare(visible(target)?, operator, literal),
                    None => Ok(Filter::Never),
                }
            }
            _ => Err(Fault::filter(format!("an operator is missing behind {}", quoted(path)))),
        }
    }

    /// `emails[type eq "work"].value eq "…"`, which is no filter of RFC 7644, and sent by Entra ID: the part belongs to the
    /// value that the brackets mean.
    fn part_behind<'s>(&mut self, element: &'s Attribute, inner: Filter<'s>) -> Result<Filter<'s>, Fault> {
        let Some(Token::Word(word)) = self.peek() else { return Ok(inner) };
        let Some(part) = word.strip_prefix('.') else { return Ok(inner) };
        self.at += 1;
        let term = self.term(part, &Scope::Element(element), DEPTH)?;
        Ok(Filter::And(vec![inner, term]))
    }
}

/// The only one, or all of them.
fn alone(mut all: Vec<Filter<'_>>) -> Result<Filter<'_>, Vec<Filter<'_>>> {
    match all.len() {
        1 => all.pop().ok_or_else(Vec::new),
        _ => Err(all),
    }
}

/// `None`: this kind of resource does not have it, and that is no mistake here.
fn find<'s>(scope: &Scope<'s>, path: &str) -> Result<Option<Place<'s>>, Fault> {
    match scope {
        Scope::Resource { schemas, kind, strange } => match (resolve(schemas, *kind, path), strange) {
            (Ok(place), _) => Ok(Some(place)),
            (Err(_), Strange::Absent) => Ok(None),
            (Err(unknown), Strange::Refused) => Err(Fault::filter(unknown.sentence())),
        },
        Scope::Element(attribute) => match attribute.sub(path) {
            Some(sub) => Ok(Some(Place::Attribute(Target { extension: None, attribute: sub, sub: None }))),
            None => {
                let unknown = Unknown { path: format!("{}.{path}", attribute.name), nearest: None };
                Err(Fault::filter(unknown.sentence()))
            }
        },
    }
}

fn of_place<'s>(place: Option<Place<'s>>, path: &str) -> Result<Option<Target<'s>>, Fault> {
    match place {
        None => Ok(None),
        Some(Place::Attribute(target)) => Ok(Some(target)),
        Some(Place::Extension(_)) => Err(Fault::filter(format!("{} is a schema, and has no value", quoted(path)))),
    }
}

/// What is never given back can't be found out by searching either.
fn visible(target: Target<'_>) -> Result<Target<'_>, Fault> {
    if leaf(&target).returned == Returned::Never {
        return Err(Fault::new(ScimType::Sensitive, format!("nobody searches by {}", target.text())));
    }
    Ok(target)
}

fn operator(word: &str) -> Option<Operator> {
    Some(match word.to_ascii_lowercase().as_str() {
        "eq" => Operator::Eq,
        "ne" => Operator::Ne,
        "co" => Operator::Co,
        "sw" => Operator::Sw,
        "ew" => Operator::Ew,
        "gt" => Operator::Gt,
        "ge" => Operator::Ge,
        "lt" => Operator::Lt,
        "le" => Operator::Le,
        _ => return None,
    })
}

fn compare<'s>(target: Target<'s>, operator: Operator, literal: &Token) -> Result<Filter<'s>, Fault> {
    let attribute = leaf(&target);
    let (path, ordered) =
        (target.text(), matches!(operator, Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le));
    let (equal, within) = (
        matches!(operator, Operator::Eq | Operator::Ne),
        matches!(operator, Operator::Co | Operator::Sw | Operator::Ew),
    );
    let fits = match attribute.kind {
        Kind::String | Kind::Reference => true,
        Kind::Binary => equal || within,
        Kind::Boolean => equal,
        Kind::Integer | Kind::Decimal | Kind::DateTime => equal || ordered,
        Kind::Complex => return Err(Fault::filter(format!("{path} has parts: compare one of them"))),
    };
    if !fits {
        // RFC 7644 table 3.
        return Err(Fault::filter(format!("{path} can't be compared by this operator")));
    }
    let wrong = |what: &str| Fault::filter(format!("{path} is compared with {what}, not with {}", token_text(literal)));
    if literal.is_word("null") {
        return if equal {
            Ok(Filter::Compare { target, operator, value: Literal::Null })
        } else {
            Err(wrong("a value"))
        };
    }
    let value = match (attribute.kind, literal) {
        (Kind::Boolean, Token::Word(word) | Token::Text(word)) => {
            Literal::Bool(boolean(word).ok_or_else(|| wrong("true or false"))?)
        }
        (Kind::Integer | Kind::Decimal, Token::Word(word)) => {
            let number = serde_json::from_str::<Number>(word).map_err(|_| wrong("a number"))?;
            Literal::Number(number)
        }
        (Kind::DateTime, Token::Text(text)) => {
            Literal::Time(instant(text).ok_or_else(|| wrong("a time such as \"2011-05-13T04:42:34Z\""))?)
        }
        (Kind::String | Kind::Reference | Kind::Binary, Token::Text(text)) => {
            let compared = if attribute.case_exact { text.clone() } else { folded(text) };
            Literal::Text { compared, sent: text.clone() }
        }
        (Kind::Integer | Kind::Decimal, _) => return Err(wrong("a number")),
        (Kind::Boolean, _) => return Err(wrong("true or false")),
        _ => return Err(wrong("a text in quotes")),
    };
    Ok(Filter::Compare { target, operator, value })
}

fn token_text(token: &Token) -> String {
    match token {
        Token::Word(word) => word.clone(),
        Token::Text(text) => quoted(text),
        Token::Open => "(".to_owned(),
        Token::Close => ")".to_owned(),
        Token::OpenBracket => "[".to_owned(),
        Token::CloseBracket => "]".to_owned(),
    }
}
