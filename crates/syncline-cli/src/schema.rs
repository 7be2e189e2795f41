//! `schema …`: schema files before any store sees them, and what they are in other languages.

use std::path::Path;

use serde_json::{Value, json};
use syncline::schema::{self, ChangeKind, Diagnostics, Parsed, Schema, Severity};
use syncline_schema::generate;

use crate::args::{SchemaCheckArgs, SchemaDiffArgs, SchemaFileArgs};
use crate::failure::{Failure, Outcome};
use crate::output::{Out, counted, say, stderr_is_colored};

pub(crate) fn check(args: &SchemaCheckArgs, out: &mut Out) -> Outcome {
    let mut refused = Vec::new();
    let mut results = Vec::new();
    for path in &args.files {
        let parsed = parse(path)?;
        let ok = match &parsed {
            Ok(parsed) => parsed.warnings.is_empty() || !args.strict,
            Err(_) => false,
        };
        if !ok {
            refused.push(path.display().to_string());
        }
        if args.json {
            results.push(result(path, ok, &parsed));
        } else {
            print(path, ok, &parsed, out)?;
        }
    }
    if args.json {
        out.json(&Value::Array(results))?;
    }
    out.flush()?;
    match refused.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::failed(format!("{one} was refused{}", strictly(args.strict)))),
        many => Err(Failure::failed(format!(
            "{} files were refused{}: {}",
            many.len(),
            strictly(args.strict),
            many.join(", ")
        ))),
    }
}

fn strictly(strict: bool) -> &'static str {
    if strict { " (--strict refuses warnings, too)" } else { "" }
}

fn parse(path: &Path) -> Outcome<Result<Parsed, Diagnostics>> {
    Ok(schema::parse(&path.display().to_string(), &read(path)?))
}

fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))
}

fn findings(parsed: &Result<Parsed, Diagnostics>) -> &Diagnostics {
    match parsed {
        Ok(parsed) => &parsed.warnings,
        Err(findings) => findings,
    }
}

fn print(path: &Path, ok: bool, parsed: &Result<Parsed, Diagnostics>, out: &mut Out) -> Outcome {
    let found = findings(parsed);
    if !found.is_empty() {
        say(found.render(stderr_is_colored()).trim_end());
    }
    let Ok(parsed) = parsed else { return Ok(()) };
    if ok {
        out.line(format_args!("{}: ok, {}", path.display(), contents(&parsed.schema, found)))?;
    }
    Ok(())
}

fn contents(schema: &Schema, found: &Diagnostics) -> String {
    let fields = schema.models.iter().map(|model| model.fields.len()).sum::<usize>();
    let mut parts = vec![counted(schema.models.len() as u64, "model"), counted(fields as u64, "field")];
    if !found.is_empty() {
        parts.push(counted(found.findings.len() as u64, "warning"));
    }
    parts.join(", ")
}

fn result(path: &Path, ok: bool, parsed: &Result<Parsed, Diagnostics>) -> Value {
    let listed = findings(parsed).findings.iter().map(|finding| {
        json!({
            "severity": match finding.severity { Severity::Warning => "warning", Severity::Error => "error" },
            "message": finding.message,
            "help": finding.help,
            "line": finding.line,
            "column": finding.column,
        })
    });
    let models: Vec<&str> = match parsed {
        Ok(parsed) => parsed.schema.models.iter().map(|model| model.name.as_str()).collect(),
        Err(_) => Vec::new(),
    };
    json!({"file": path.display().to_string(), "ok": ok, "models": models, "findings": listed.collect::<Vec<_>>()})
}

pub(crate) fn diff(args: &SchemaDiffArgs, out: &mut Out) -> Outcome {
    let changes = schema::changes(&accepted(&args.old)?, &accepted(&args.new)?);
    if args.json {
        let listed = changes
            .iter()
            .map(|change| json!({"kind": name(change.kind), "place": change.place, "sentence": change.sentence}));
        out.json(&Value::Array(listed.collect()))?;
    } else if changes.is_empty() {
        out.line("no difference")?;
    } else {
        for change in &changes {
            out.line(format_args!("{:<12} {change}", name(change.kind)))?;
        }
    }
    out.flush()?;
    if changes.iter().any(|change| change.kind == ChangeKind::Incompatible) {
        return Err(Failure::failed("a store with the old schema would refuse the new one"));
    }
    Ok(())
}

fn accepted(path: &Path) -> Outcome<Schema> {
    schema_of(parse(path)?)
}

fn schema_of(parsed: Result<Parsed, Diagnostics>) -> Outcome<Schema> {
    match parsed {
        Ok(parsed) => Ok(parsed.schema),
        Err(found) => Err(Failure::failed(format!("the schema was refused\n\n{}", found.render(stderr_is_colored())))),
    }
}

pub(crate) fn rust(args: &SchemaFileArgs, out: &mut Out) -> Outcome {
    let (schema, sdl) = shown(&args.file)?;
    let file: syn::File = syn::parse2(generate::rust::module(&schema, &sdl)).map_err(Failure::failed)?;
    out.line("// Written by `syncline schema rust`: run it again when the schema changes.\n")?;
    let alone = |item| {
        prettyplease::unparse(&syn::File { frontmatter: None, shebang: None, attrs: Vec::new(), items: vec![item] })
    };
    out.bytes(file.items.into_iter().map(alone).collect::<Vec<_>>().join("\n").as_bytes())
}

pub(crate) fn typescript(args: &SchemaFileArgs, out: &mut Out) -> Outcome {
    let (schema, _) = shown(&args.file)?;
    out.bytes(generate::typescript(&schema).as_bytes())
}

pub(crate) fn json(args: &SchemaFileArgs, out: &mut Out) -> Outcome {
    let (schema, _) = shown(&args.file)?;
    let schema = generate::json_schema(&schema);
    out.line(serde_json::to_string_pretty(&schema).map_err(Failure::failed)?)
}

/// An accepted schema with its text; its warnings are shown.
fn shown(path: &Path) -> Outcome<(Schema, String)> {
    let sdl = read(path)?;
    let parsed = schema::parse(&path.display().to_string(), &sdl);
    if let Ok(Parsed { warnings, .. }) = &parsed
        && !warnings.is_empty()
    {
        say(warnings.render(stderr_is_colored()).trim_end());
    }
    Ok((schema_of(parsed)?, sdl))
}

fn name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Additive => "added",
        ChangeKind::Rename => "renamed",
        ChangeKind::Removed => "removed",
        ChangeKind::Adjusted => "adjusted",
        ChangeKind::Incompatible => "incompatible",
    }
}
