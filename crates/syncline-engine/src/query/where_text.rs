//! WHERE text: parsed, checked against the model, and written anew with bound values.
//!
//! Allowed are the model's columns and paths into embedded values, literals, comparisons, AND, OR,
//! NOT, IS [NOT] NULL, IN (…), BETWEEN, LIKE, + - * / % and ||, and a few functions. Everything
//! else is refused with its place. The meaning is SQL's, with its three truth values.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned, UnaryOperator,
    Value, ValueWithSpan,
};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};
use syncline_core::filter::field_at;
use syncline_core::record::SqlValue;
use syncline_schema::{Field, Model, Schema, did_you_mean};

use super::error::QueryError;
use super::relation::begins_index;
use super::sql::{self, Sql};

/// Most tokens of a text: a chain of operators is a tree as deep as it is long.
const TOKENS_MAX: usize = 4000;

/// Deepest nesting; chains of AND and OR count once.
const DEPTH_MAX: usize = 100;

/// Functions that may be called, with the fewest and most arguments.
const FUNCTIONS: [(&str, usize, usize); 9] = [
    ("lower", 1, 1),
    ("upper", 1, 1),
    ("length", 1, 1),
    ("abs", 1, 1),
    ("round", 1, 2),
    ("coalesce", 2, 20),
    ("ifnull", 2, 2),
    ("nullif", 2, 2),
    ("instr", 2, 2),
];

/// Looks for an element of a list or set.
const CONTAINS: &str = "contains";

/// The condition that a text stands for, and whether every record that meets it stands in a range of an index.
pub(super) fn to_sql(schema: &Schema, model: &Model, text: &str) -> Result<(Sql, bool), QueryError> {
    let expression = parse(text)?;
    let writer = Writer { schema, model };
    Ok((writer.expression(&expression, 0)?, writer.is_indexed(&expression)))
}

fn parse(text: &str) -> Result<Expr, QueryError> {
    let dialect = SQLiteDialect {};
    let tokens =
        Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|error| at(error.location, &error.message))?;
    if let Some(token) = tokens.get(TOKENS_MAX) {
        return Err(at(
            token.span.start,
            &format!("the text goes on: a condition has at most {TOKENS_MAX} words and signs"),
        ));
    }
    let end = tokens.last().map_or_else(|| Location::new(1, 1), |token| token.span.end);
    if !tokens.iter().any(is_word) {
        return Err(at(end, "the condition is empty: write one like `done = false`, or leave it out"));
    }
    let mut parser = Parser::new(&dialect).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let expression = parser.parse_expr().map_err(|error| syntax(&error, &mut parser, end))?;
    let next = parser.peek_token();
    if next.token == Token::EOF {
        return Ok(expression);
    }
    Err(at(
        next.span.start,
        &format!("`{}` does not belong here: the text is one condition, without ORDER BY, LIMIT or `;`", next.token),
    ))
}

fn is_word(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_) | Token::EOF)
}

/// The parser's own message without the place it writes behind it; the place is said apart.
fn syntax(error: &ParserError, parser: &mut Parser<'_>, end: Location) -> QueryError {
    let next = parser.peek_token();
    let here = if next.token == Token::EOF { end } else { next.span.start };
    match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let (message, place) = split_place(message);
            at(place.unwrap_or(here), &format!("this is no condition: {message}"))
        }
        ParserError::RecursionLimitExceeded => at(here, &format!("the condition nests more than {DEPTH_MAX} deep")),
    }
}

/// `Expected: …, found: x at Line: 1, Column: 5` → the message and the place.
fn split_place(message: &str) -> (&str, Option<Location>) {
    let Some((message, place)) = message.rsplit_once(" at Line: ") else {
        return (message, None);
    };
    let numbers = place.split_once(", Column: ");
    let place = numbers.and_then(|(line, column)| Some(Location::new(line.parse().ok()?, column.parse().ok()?)));
    (message, place)
}

fn at(place: Location, message: &str) -> QueryError {
    QueryError::Where { line: place.line.max(1), column: place.column.max(1), message: message.to_owned() }
}

struct Writer<'a> {
    schema: &'a Schema,
    model: &'a Model,
}

impl Writer<'_> {
    fn expression(&self, expression: &Expr, depth: usize) -> Result<Sql, QueryError> {
        let place = expression.span().start;
        if depth > DEPTH_MAX {
            return Err(at(place, &format!("the condition nests more than {DEPTH_MAX} deep")));
        }
        let inner = |expression: &Expr| self.expression(expression, depth + 1);
        let suffixed = |expression: &Expr, suffix: &str| Ok(group([inner(expression)?, Sql::text(suffix)]));
        #[expect(clippy::wildcard_enum_match_arm, reason = "a list of what is allowed; the parser knows far more")]
        match expression {
            Expr::Identifier(name) => self.column(std::slice::from_ref(name)),
            Expr::CompoundIdentifier(names) => self.column(names),
            Expr::Value(value) => literal(value, false),
            Expr::Nested(nested) => inner(nested),
            Expr::IsNull(of) => suffixed(of, " IS NULL"),
            Expr::IsNotNull(of) => suffixed(of, self.not_null(of)),
            Expr::IsTrue(of) => suffixed(of, " IS TRUE"),
            Expr::IsNotTrue(of) => suffixed(of, " IS NOT TRUE"),
            Expr::IsFalse(of) => suffixed(of, " IS FALSE"),
            Expr::IsNotFalse(of) => suffixed(of, " IS NOT FALSE"),
            Expr::IsDistinctFrom(left, right) => Ok(group([inner(left)?, Sql::text(" IS NOT "), inner(right)?])),
            Expr::IsNotDistinctFrom(left, right) => Ok(group([inner(left)?, Sql::text(" IS "), inner(right)?])),
            Expr::InList { expr, list, negated } => {
                let items = list.iter().map(inner).collect::<Result<Vec<_>, _>>()?;
                let operator = if *negated { " NOT IN (" } else { " IN (" };
                Ok(group([inner(expr)?, Sql::text(operator), Sql::list(items), Sql::text(")")]))
            }
            Expr::Between { expr, negated, low, high } => {
                let operator = if *negated { " NOT BETWEEN " } else { " BETWEEN " };
                Ok(group([inner(expr)?, Sql::text(operator), inner(low)?, Sql::text(" AND "), inner(high)?]))
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let operator = if *negated { " NOT LIKE " } else { " LIKE " };
                let escape = match escape_char {
                    Some(escape) => Sql::of([Sql::text(" ESCAPE "), inner(escape)?]),
                    None => Sql::default(),
                };
                Ok(group([inner(expr)?, Sql::text(operator), inner(pattern)?, escape]))
            }
            Expr::ILike { .. } => Err(at(place, "there is no ILIKE: LIKE ignores the case of a to z already")),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr, place, depth),
            Expr::BinaryOp { left, op, right } => self.binary(expression, left, op, right, depth),
            Expr::Function(function) => self.call(function, place, depth),
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
                Err(at(place, "a condition cannot have a query inside"))
            }
            other => Err(at(place, &format!("`{}` is not allowed in a condition", shown(other)))),
        }
    }

    /// What stands behind an expression that is not null.
    fn not_null(&self, expression: &Expr) -> &'static str {
        match (expression, self.field(expression)) {
            (Expr::Identifier(_), Some(field)) => sql::not_null(&field.name, &field.kind),
            _ => " IS NOT NULL",
        }
    }

    /// Whether a value or range is asked of a column that begins an index.
    fn is_indexed(&self, expression: &Expr) -> bool {
        let begins_one = |expression: &Expr| {
            self.field(expression).is_some_and(|field| begins_index(self.schema, self.model, &field.name))
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else there is, no index serves it")]
        match expression {
            Expr::Nested(inner) => self.is_indexed(inner),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => self.is_indexed(left) || self.is_indexed(right),
            Expr::BinaryOp { left, op, right } if is_comparison(op) => begins_one(left) || begins_one(right),
            Expr::InList { expr, negated: false, .. } | Expr::Between { expr, negated: false, .. } => begins_one(expr),
            Expr::IsNull(of) | Expr::IsNotNull(of) => begins_one(of),
            _ => false,
        }
    }

    fn column(&self, names: &[Ident]) -> Result<Sql, QueryError> {
        let place = names.first().map_or_else(|| Location::new(1, 1), |name| name.span.start);
        let names = match names {
            // `Todo.title` names a column of the model, unless a field has the model's name.
            [table, rest @ ..]
                if !rest.is_empty() && table.value == self.model.name && self.model.field(&table.value).is_none() =>
            {
                rest
            }
            names => names,
        };
        let path = names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join(".");
        self.path(&path, names).map_err(|message| at(place, &message))
    }

    fn path(&self, path: &str, names: &[Ident]) -> Result<Sql, String> {
        if let Some(found) = self.found(path) {
            return Ok(Sql::text(&sql::expression(&found)));
        }
        let message = field_at(self.schema, self.model, path).err().unwrap_or_default();
        let quoted = matches!(names, [Ident { quote_style: Some('"'), .. }]);
        let hint = if quoted { "; a text stands in single quotes" } else { "" };
        Err(format!("{message}{hint}"))
    }

    /// The path in the schema's spelling: SQL does not tell upper from lower case in names, and
    /// the schema has no two columns that differ in nothing else.
    fn found(&self, path: &str) -> Option<String> {
        if field_at(self.schema, self.model, path).is_ok() {
            return Some(path.to_owned());
        }
        let field = self.model.fields.iter().find(|field| field.name.eq_ignore_ascii_case(path))?;
        Some(field.name.clone())
    }

    fn unary(&self, op: UnaryOperator, of: &Expr, place: Location, depth: usize) -> Result<Sql, QueryError> {
        let operator = match (op, of) {
            (UnaryOperator::Minus, Expr::Value(value @ ValueWithSpan { value: Value::Number(..), .. })) => {
                return literal(value, true);
            }
            (UnaryOperator::Not, _) => "NOT ",
            (UnaryOperator::Minus, _) => "- ",
            (UnaryOperator::Plus, _) => "+ ",
            (op, _) => {
                return Err(at(place, &format!("the operator `{op}` is not allowed in a condition")));
            }
        };
        Ok(group([Sql::text(operator), self.expression(of, depth + 1)?]))
    }

    fn binary(
        &self,
        whole: &Expr,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        depth: usize,
    ) -> Result<Sql, QueryError> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "a list of what is allowed; the parser knows far more")]
        let operator = match op {
            BinaryOperator::And | BinaryOperator::Or => return self.chain(whole, op, depth),
            BinaryOperator::Eq => "=",
            BinaryOperator::NotEq => "<>",
            BinaryOperator::Lt => "<",
            BinaryOperator::LtEq => "<=",
            BinaryOperator::Gt => ">",
            BinaryOperator::GtEq => ">=",
            BinaryOperator::Plus => "+",
            BinaryOperator::Minus => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Modulo => "%",
            BinaryOperator::StringConcat => "||",
            other => {
                return Err(at(
                    right.span().start,
                    &format!("the operator `{other}` before this is not allowed in a condition"),
                ));
            }
        };
        let operator = Sql::text(&format!(" {operator} "));
        Ok(group([self.expression(left, depth + 1)?, operator, self.expression(right, depth + 1)?]))
    }

    /// `a AND b AND c` is a tree that leans to the left: walked in a loop, written in balance.
    fn chain(&self, whole: &Expr, op: &BinaryOperator, depth: usize) -> Result<Sql, QueryError> {
        let mut operands = Vec::new();
        let mut rest = whole;
        while let Expr::BinaryOp { left, op: inner, right } = rest {
            if inner != op {
                break;
            }
            operands.push(self.expression(right, depth + 1)?);
            rest = left.as_ref();
        }
        operands.push(self.expression(rest, depth + 1)?);
        operands.reverse();
        Ok(Sql::chain(if *op == BinaryOperator::And { "AND" } else { "OR" }, operands))
    }

    fn call(&self, function: &Function, place: Location, depth: usize) -> Result<Sql, QueryError> {
        let name = function.name.to_string().to_ascii_lowercase();
        let arguments =
            arguments(function).ok_or_else(|| at(place, &format!("`{name}` takes plain arguments here")))?;
        if name == CONTAINS {
            return self.contains(&arguments, place, depth);
        }
        let Some((name, least, most)) = FUNCTIONS.into_iter().find(|(known, ..)| *known == name) else {
            let names = || FUNCTIONS.iter().map(|(name, ..)| *name).chain([CONTAINS]);
            let cure = did_you_mean(&name, names())
                .unwrap_or_else(|| format!("the functions are {}", names().collect::<Vec<_>>().join(", ")));
            return Err(at(place, &format!("there is no function `{name}`; {cure}")));
        };
        if !(least..=most).contains(&arguments.len()) {
            let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
            return Err(at(place, &format!("`{name}` takes {wanted} arguments, found {}", arguments.len())));
        }
        let arguments = arguments.into_iter().map(|argument| self.expression(argument, depth + 1));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        Ok(Sql::of([Sql::text(&format!("{name}(")), Sql::list(arguments), Sql::text(")")]))
    }

    fn contains(&self, arguments: &[&Expr], place: Location, depth: usize) -> Result<Sql, QueryError> {
        let usage = || at(place, "`contains` takes a list or set and an element: contains(tags, 'x')");
        let [list, element] = arguments else {
            return Err(usage());
        };
        if !self.field(list).is_some_and(|field| sql::is_list(&field.kind)) {
            return Err(usage());
        }
        let (list, element) = (self.expression(list, depth + 1)?, self.expression(element, depth + 1)?);
        Ok(sql::has_element(list, element))
    }

    fn field(&self, expression: &Expr) -> Option<&Field> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "only names can be fields")]
        let path = match expression {
            Expr::Identifier(name) => name.value.clone(),
            Expr::CompoundIdentifier(names) => {
                names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join(".")
            }
            _ => return None,
        };
        field_at(self.schema, self.model, &self.found(&path)?).ok()
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq | BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq
    )
}

fn group<const N: usize>(pieces: [Sql; N]) -> Sql {
    Sql::of([Sql::text("("), Sql::of(pieces), Sql::text(")")])
}

fn literal(literal: &ValueWithSpan, negative: bool) -> Result<Sql, QueryError> {
    let place = literal.span.start;
    #[expect(clippy::wildcard_enum_match_arm, reason = "a list of what is allowed; the parser knows far more")]
    let value = match &literal.value {
        Value::Null => SqlValue::Null,
        Value::Boolean(truth) => SqlValue::Integer(i64::from(*truth)),
        Value::SingleQuotedString(text) => SqlValue::Text(text.clone()),
        Value::Number(digits, _) => {
            let sign = if negative { "-" } else { "" };
            let digits = format!("{sign}{}", digits.replace('_', ""));
            number(&digits).ok_or_else(|| at(place, &format!("`{digits}` is no number that can be compared")))?
        }
        Value::Placeholder(name) => {
            return Err(at(place, &format!("`{name}` has no value here: write the value itself")));
        }
        other => {
            return Err(at(place, &format!("`{other}` is no number, text, true, false or null")));
        }
    };
    Ok(Sql::value(value))
}

fn number(digits: &str) -> Option<SqlValue> {
    if let Ok(integer) = digits.parse() {
        return Some(SqlValue::Integer(integer));
    }
    digits.parse().ok().filter(|number: &f64| number.is_finite()).map(SqlValue::Real)
}

/// The arguments of a plain call: no DISTINCT, no FILTER, no window.
fn arguments(function: &Function) -> Option<Vec<&Expr>> {
    let plain = function.over.is_none()
        && function.filter.is_none()
        && function.null_treatment.is_none()
        && function.within_group.is_empty()
        && function.parameters == FunctionArguments::None;
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let plain = |argument: &'_ FunctionArg| matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Expr(_)));
    if !list.args.iter().all(plain) {
        return None;
    }
    let expressions = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression),
        FunctionArg::Unnamed(_) | FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => None,
    });
    Some(expressions.collect())
}

/// A part of the text for a message, cut where it gets long.
fn shown(expression: &Expr) -> String {
    let text = expression.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
