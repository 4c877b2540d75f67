#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use fedbridge_contract::claims::Claims;
use fedbridge_contract::identity::{Attributes, UpstreamSubject};
use serde_json::{Value, json};

use super::*;
use crate::decide::{ConnectionFacts, Facts, RequestFacts};

fn facts(attributes: Attributes) -> Facts {
    Facts {
        attributes,
        subject: UpstreamSubject { key: "k".to_owned(), display: "eve".to_owned(), stable: true, scope: None },
        connection: ConnectionFacts { slug: "okta".to_owned(), domains: Vec::new() },
        client: None,
        user: None,
        pushed: None,
        request: RequestFacts::default(),
    }
}

fn many(name: &str, count: usize, length: usize) -> Facts {
    let mut attributes = Attributes::new();
    for at in 0..count {
        attributes.push(name, format!("{at:0length$}"));
    }
    facts(attributes)
}

fn eval(expression: &str) -> Result<Value, String> {
    let claims = Claims::default();
    let facts = facts(Attributes::new());
    Program::compile(expression).map_err(|problems| problems[0].to_string())?.run(&Variables::new(&facts, &claims))
}

fn refused(expression: &str) -> String {
    let problems = Program::compile(expression).expect_err(expression);
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_function_works() {
    for (expression, expected) in [
        ("size('abc') + 'abc'.size() + size([1]) + size({'a': 1})", json!(8)),
        ("'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c')", json!(true)),
        ("'abc'.matches('^a.c$') && matches('abc', 'b')", json!(true)),
        ("' aBc '.trim().lowerAscii() + 'x'.upperAscii()", json!("abcX")),
        ("'a,b'.split(',').join(';')", json!("a;b")),
        ("'a-b-c'.replace('-', '+') + 'abcd'.substring(1, 3)", json!("a+b+cbc")),
        ("'abcb'.indexOf('b') + 'abcb'.lastIndexOf('b')", json!(4)),
        ("'abc'.charAt(1)", json!("b")),
        ("string(1) + string(true) + string(1.5)", json!("1true1.5")),
        ("int('5') + int(2.0)", json!(7)),
        ("double('1.5') + double(1)", json!(2.5)),
        ("uint('7')", json!(7)),
        ("bool('true')", json!(true)),
        ("type('a') == string && type(1) == int", json!(true)),
        ("dyn(1) == 1", json!(true)),
        ("[1, 2, 3].map(x, x > 1, x * 2)", json!([4, 6])),
        ("{'b': 1, 'a': {'c': null}}", json!({"a": {"c": null}, "b": 1})),
        ("1 in [1, 2] && 'a' in {'a': 1} && !(3 in [1])", json!(true)),
        ("-5 % 3 == -2 && 7 / 2 == 3", json!(true)),
        ("[1, 2].exists_one(x, x == 1) && [1, 2].all(x, x > 0) && [1, 2].exists(x, x == 2)", json!(true)),
        ("has({'a': 1}.a) && !has({'a': 1}.b)", json!(true)),
    ] {
        assert_eq!(eval(expression), Ok(expected), "{expression}");
    }
}

#[test]
fn errors_are_sentences() {
    for (expression, part) in [
        ("[1][5]", "shorter than the index"),
        ("attr['x'][0]", "absent attribute is an empty list"),
        ("user.name", "there is no `name`"),
        ("1 + 'a'", "`add` can't be used on int and string"),
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "too large"),
        ("size(5)", "`size` can't be used on int"),
        ("'a' < 1", "`<` can't be used on string and int"),
        ("int('x')", "`int`"),
        ("type(1)", "no claim can have"),
        ("b'x'", "no claim can have"),
        ("{1: 'a'}", "not texts"),
        ("{'a': 1, 'a': 2}", "same key twice"),
        ("attr[1]", "asked by a name"),
        ("0.0 / 0.0", "no finite number"),
    ] {
        let error = eval(expression).expect_err(expression);
        assert!(error.contains(part), "{expression}: {error}");
    }
}

#[test]
fn unknown_things_are_refused_with_the_nearest() {
    for (expression, part) in [
        ("atr['x']", "there is no variable called `atr`; did you mean `attr`?"),
        ("clams.email", "did you mean `claims`?"),
        ("'a'.startWith('a')", "did you mean `startsWith`?"),
        ("sise([1])", "did you mean `size`?"),
        ("request.scope", "did you mean `scopes`?"),
        ("size(attr)", "`attr` is used as"),
        ("attr", "`attr` is used as"),
        ("attr == attr", "`attr` is used as"),
        ("[1].map(attr, attr)", "can't be a loop's variable"),
        ("startsWith('a', 'b')", "write `x.startsWith(…)`"),
        ("'5'.int()", "write `int(x)`"),
        ("google.protobuf.Duration{}", "no types to make"),
        ("optional.of(1)", "there is no"),
        ("attr[?'a']", ""),
        ("attr.?a", ""),
        ("timestamp('2020-01-01T00:00:00Z')", "there is no function called `timestamp`"),
        ("@meter", ""),
        ("@spend(1, 2)", ""),
        ("'a'.matches(subject)", "literal text"),
        ("'a'.matches('(')", "not valid"),
        ("'a'.matches('(a{200}){200}')", "too large"),
        ("['a'].join(subject)", "literal text"),
        ("'a'.replace('a', subject)", "literal text"),
        ("", "empty"),
        ("1 +", "ends too early"),
        ("1 2", "syntax error"),
    ] {
        let message = refused(expression);
        assert!(message.contains(part), "{expression}: {message}");
    }
    assert_eq!(refused("true &&\n  nobody"), "line 2, column 3: there is no variable called `nobody`");
}

/// Each is refused when it is saved.
#[test]
fn costly_shapes_are_refused_at_compile_time() {
    let deep = |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    let mut corpus = vec![
        "attr.a.map(w, attr.a.map(x, w + x))".to_owned(),
        "attr.a.map(w, attr.a.map(x, attr.a.map(y, attr.a.map(z, 1))))".to_owned(),
        "attr.a.all(w, attr.a.exists(x, x == w))".to_owned(),
        "[1].map(a, [1].map(b, [1].map(c, 1)))".to_owned(),
        "attr.a.filter(w, attr.a.map(x, x).exists(y, y == w))".to_owned(),
        deep("(", ")", 500),
        deep("[", "]", 500),
        deep("{1:", "}", 300),
        deep("(((((((((((", ")))))))))))", 50),
        deep("[[[[", "]]]]", 10),
        "!".repeat(1000) + "true",
        "-".repeat(1000) + "1",
        "1".to_owned() + &"+1".repeat(600),
        "a".to_owned() + &".a".repeat(600),
        "true".to_owned() + &"?true:true".repeat(150),
        "true".to_owned() + &"&&true".repeat(200),
        format!("'{}'", "x".repeat(4000)),
        format!("[{}]", "1,".repeat(1500) + "1"),
        "[".repeat(2000),
        "(".repeat(2000),
        "[{(".repeat(600),
        "\u{0}".to_owned(),
        "'a'.matches('((a*)*)*{1000}{1000}')".to_owned(),
        "'a'.matches('\\\\pL{1000}')".to_owned(),
    ];
    corpus.push(deep("size([", "])", 30));
    for expression in corpus {
        let start: String = expression.chars().take(40).collect();
        assert!(Program::compile(&expression).is_err(), "{start}");
    }
}

/// Each compiles, and runs out of budget instead of time, or ends well below it. The
/// bound is counted in units of the meter; see [`BUDGET`].
#[test]
fn costly_work_ends_at_the_budget() {
    let doubling = |times: usize| format!("[attr.a.join(',')]{}.size()", ".map(x, x + x)".repeat(times));
    let lists = |times: usize| format!("size([attr.a]{})", ".map(x, x + x)".repeat(times));
    let copies = |times: usize| format!("size(['aaaaaaaa']{})", ".map(x, [x, x, x, x, x, x, x, x])".repeat(times));
    let facts = many("a", MAX_LIST, 60);
    let claims = Claims::default();
    for (expression, must_fail) in [
        (doubling(9), true),
        (lists(9), true),
        (copies(9), true),
        ("attr.a.filter(x, x in attr.a)".to_owned(), true),
        ("attr.a.exists(x, attr.a == [x])".to_owned(), true),
        ("attr.a.exists(x, attr.a == [x]) || true".to_owned(), true),
        ("attr.a.all(x, size(attr.a) > 0)".to_owned(), true),
        ("attr.a.exists(x, x.matches('^(0|1|2|3|4|5|6|7|8|9)*(a|b|c|d)(a|b|c)(x|y|z|zz)$'))".to_owned(), true),
        ("attr.a.map(x, attr.a.size())".to_owned(), true),
        ("attr.a.map(x, [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20].map(y, string(y) + x))".to_owned(), true),
        ("attr.a.map(x, [x, x, x, x, x, x, x, x, x, x, x, x])".to_owned(), true),
        ("attr.a.map(x, {x: [x, x, x, x, x, x, x, x, x, x, x]})".to_owned(), true),
        ("attr.a.exists(x, x == 'nobody')".to_owned(), false),
        ("attr.a.filter(x, x.startsWith('0000'))".to_owned(), false),
        ("'x' in attr.a".to_owned(), false),
        ("attr.a.map(x, x.split('').join('--').split('').join('--'))".to_owned(), true),
        ("attr.a.map(x, x.replace('', '12345678901234567890123456789012').replace('', '12345678901234567890123456789012'))".to_owned(), true),
    ] {
        let start: String = expression.chars().take(60).collect();
        let program = Program::compile(&expression).unwrap_or_else(|problems| panic!("{start}: {problems:?}"));
        let variables = Variables::new(&facts, &claims);
        let result = program.run(&variables);
        assert!(variables.meter().spent() <= BUDGET);
        match result {
            Ok(_) => assert!(!must_fail, "{start} ended after {} units", variables.meter().spent()),
            Err(error) => assert!(must_fail && error.contains("more work"), "{start}: {error}"),
        }
    }
}

#[test]
fn a_list_that_is_too_long_fails_and_is_never_cut() {
    let facts = many("a", MAX_LIST + 1, 1);
    let claims = Claims::default();
    for expression in ["size(attr.a)", "'x' in attr.a || true", "attr['a'].exists(x, true) || !('b' in attr)"] {
        let error = Program::compile(expression).unwrap().run(&Variables::new(&facts, &claims)).unwrap_err();
        assert!(error.contains("`a` has 5001 values"), "{error}");
    }
    assert_eq!(Program::compile("'a' in attr").unwrap().run(&Variables::new(&facts, &claims)), Ok(json!(true)));
}

#[test]
fn an_empty_budget_stays_empty_for_the_rest_of_the_stage() {
    let facts = many("a", MAX_LIST, 60);
    let claims = Claims::default();
    let variables = Variables::new(&facts, &claims);
    let costly = Program::compile("attr.a.filter(x, x in attr.a)").unwrap();
    assert!(costly.run(&variables).is_err());
    let cheap = Program::compile("true").unwrap();
    assert!(cheap.run(&variables).unwrap_err().contains("more work"));
    assert!(cheap.run(&Variables::new(&facts, &claims)).is_ok());
}

/// What an expression says does not depend on the order of a map's keys or on earlier runs.
#[test]
fn evaluation_is_deterministic() {
    let mut attributes = Attributes::new();
    for name in ["x", "a", "m", "b"] {
        attributes.push(name, name);
    }
    let facts = facts(attributes);
    let claims = Claims::default();
    let program = Program::compile("{'z': attr.filter(n, n != 'm'), 'a': {'y': 1, 'b': 2}}").unwrap();
    let first = program.run(&Variables::new(&facts, &claims)).unwrap().to_string();
    for _ in 0..50 {
        assert_eq!(program.run(&Variables::new(&facts, &claims)).unwrap().to_string(), first);
    }
    assert_eq!(first, r#"{"a":{"b":2,"y":1},"z":["a","b","x"]}"#);
}

/// Runs on a stack of 1.5 MiB; a worker thread has 2.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1536 * 1024).spawn(work).unwrap().join().unwrap();
}

/// The deepest trees that compile, in the shapes that need the most stack.
#[test]
fn the_deepest_expression_fits_a_small_stack() {
    on_a_small_stack(|| {
        let chains: [(&str, &str, &str); 8] = [
            ("['a']", ".map(x, x + 'b')", ".size()"),
            ("'a'", ".trim()", ""),
            ("1", " + 1", ""),
            ("attr.a", ".filter(x, x in attr.a)", ""),
            ("{'a': 1}", " == {'a': 1} ? {'a': 1} : {'a': 2}", ""),
            ("claims", ".a", ""),
            ("[1]", " + [1]", ""),
            ("true", " == true", ""),
        ];
        for (start, link, end) in chains {
            let deepest = (1..32)
                .rev()
                .map(|times| format!("{start}{}{end}", link.repeat(times)))
                .find_map(|expression| Program::compile(&expression).ok())
                .unwrap();
            let facts = facts(Attributes::new());
            let claims = Claims::default();
            let _ = deepest.run(&Variables::new(&facts, &claims));
        }
        for (open, close) in [("(", ")"), ("[", "]"), ("size([", "])"), ("[", "][0]"), ("true ? true : (", ")")] {
            let deepest = (1..26)
                .rev()
                .map(|times| format!("{}true{}", open.repeat(times), close.repeat(times)))
                .find_map(|expression| Program::compile(&expression).ok())
                .unwrap();
            let facts = facts(Attributes::new());
            let claims = Claims::default();
            let _ = deepest.run(&Variables::new(&facts, &claims));
        }
    });
}

/// Expressions at random, from the grammar's parts: each is refused, or ends within its budget.
#[test]
fn random_expressions_stay_within_the_budget() {
    let facts = many("a", 300, 40);
    let claims = Claims::default();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut ran, mut refused) = (0, 0);
    for _ in 0..600 {
        let expression = random_expression(&mut dice, 5);
        match Program::compile(&expression) {
            Err(problems) => {
                assert!(problems.iter().all(|problem| !problem.message.is_empty()), "{expression}");
                refused += 1;
            }
            Ok(program) => {
                let variables = Variables::new(&facts, &claims);
                let first = program.run(&variables);
                assert!(variables.meter().spent() <= BUDGET, "{expression}");
                assert_eq!(first, program.run(&Variables::new(&facts, &claims)), "{expression}");
                ran += 1;
            }
        }
    }
    assert!(ran > 100 && refused > 20, "{ran} ran, {refused} were refused");
}

/// Pseudo-random numbers (xorshift), the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

fn random_expression(dice: &mut Dice, depth: usize) -> String {
    let leaves = [
        "attr.a",
        "attr['b']",
        "x",
        "'abc'",
        "1",
        "2.5",
        "true",
        "null",
        "groups",
        "claims",
        "subject",
        "[1, 2]",
        "user",
    ];
    if depth == 0 {
        return leaves[dice.roll(leaves.len())].to_owned();
    }
    let a = random_expression(dice, depth - 1);
    let pick = dice.roll(16);
    let b = if pick < 9 { random_expression(dice, depth - 1) } else { String::new() };
    match pick {
        0 => format!("{a} + {b}"),
        1 => format!("({a} == {b})"),
        2 => format!("({a} in {b})"),
        3 => format!("({a} && {b})"),
        4 => format!("({a} || {b})"),
        5 => format!("[{a}, {b}]"),
        6 => format!("({a} ? {b} : 'z')"),
        7 => format!("{{'k': {a}, 'l': {b}}}"),
        8 => format!("{a}[{b}]"),
        9 => format!("attr.a.map(x, {a})"),
        10 => format!("attr.a.filter(x, {a})"),
        11 => format!("['p', 'q'].exists(x, {a})"),
        12 => format!("size({a})"),
        13 => format!("string({a}).split('').join('-')"),
        14 => format!("{a}.matches('^(a|b)+[0-9]*$')"),
        _ => format!("!({a})"),
    }
}
