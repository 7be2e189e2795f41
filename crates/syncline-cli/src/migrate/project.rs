//! What an Amplify Gen 1 project folder holds: schema files, how conflicts were resolved, which transformer made it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use syncline::schema::{self, Diagnostic, Diagnostics, Parsed, Severity};

use crate::failure::{Failure, Outcome};
use crate::output::stderr_is_colored;

/// An Amplify project, as far as it concerns data.
pub(super) struct Project {
    /// The folder `amplify/backend`.
    pub(super) backend: PathBuf,
    /// The folder of its API.
    pub(super) api: PathBuf,
    pub(super) schema: Sources,
    /// Version of the GraphQL transformer, where `cli.json` names one.
    pub(super) transformer: Option<u64>,
    pub(super) conflicts: Conflicts,
}

/// How conflicts are resolved: AppSync's word for it, for models that have their own and for all others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Conflicts {
    pub(super) project: Option<String>,
    pub(super) models: BTreeMap<String, String>,
}

impl Conflicts {
    pub(super) fn of(&self, model: &str) -> Option<&str> {
        self.models.get(model).or(self.project.as_ref()).map(String::as_str)
    }
}

impl Project {
    pub(super) fn read(folder: &Path, api: Option<&str>) -> Outcome<Self> {
        let backend = backend(folder)?;
        let api = api_folder(folder, &backend, api)?;
        let schema = Sources::read(&api)?;
        let transform = json(&api.join("transform.conf.json"))?;
        let conflicts = transform.as_ref().map(conflicts).unwrap_or_default();
        let cli = backend.parent().map(|amplify| json(&amplify.join("cli.json"))).transpose()?.flatten();
        let transformer = cli.and_then(|cli| cli.pointer("/features/graphqltransformer/transformerversion")?.as_u64());
        Ok(Self { backend, api, schema, transformer, conflicts })
    }
}

/// The folder `amplify/backend`, wherever in the project the user points.
fn backend(folder: &Path) -> Outcome<PathBuf> {
    if !folder.is_dir() {
        return Err(Failure::failed(format!("there is no folder {}", folder.display())));
    }
    for below in ["amplify/backend", "backend", "."] {
        let backend = folder.join(below);
        if backend.join("api").is_dir() {
            return Ok(backend);
        }
    }
    let second = ["amplify/data/resource.ts", "data/resource.ts"].iter().any(|file| folder.join(file).is_file());
    Err(Failure::failed(if second {
        format!(
            "{} is a project of Amplify Gen 2, whose schema is TypeScript; write it as SDL and run `syncline schema \
             check` on that",
            folder.display()
        )
    } else {
        format!(
            "{} is no Amplify Gen 1 project with a GraphQL API: there is no folder amplify/backend/api in it",
            folder.display()
        )
    }))
}

fn api_folder(folder: &Path, backend: &Path, api: Option<&str>) -> Outcome<PathBuf> {
    let found = entries(&backend.join("api"))?;
    let mut apis: Vec<PathBuf> = found.into_iter().filter(|path| has_schema(path)).collect();
    if let Some(name) = api {
        apis.retain(|path| path.file_name().is_some_and(|of| of == name));
    }
    match apis.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::failed(format!(
            "{} has no GraphQL API{}: no folder in {} holds schema.graphql or schema/*.graphql",
            folder.display(),
            api.map(|name| format!(" `{name}`")).unwrap_or_default(),
            backend.join("api").display()
        ))),
        many => Err(Failure::usage(format!(
            "{} has several GraphQL APIs; add --api with one of {}",
            folder.display(),
            many.iter().filter_map(|path| path.file_name()?.to_str()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

fn has_schema(api: &Path) -> bool {
    api.join("schema.graphql").is_file() || api.join("schema").is_dir()
}

/// Files and folders in a folder, by name.
pub(super) fn entries(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let unreadable = |error: std::io::Error| Failure::failed(format!("{} cannot be read: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// A JSON file, if it is there.
fn json(path: &Path) -> Outcome<Option<Value>> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| Failure::failed(format!("{}:{}: not valid JSON: {error}", path.display(), error.line())))
}

fn conflicts(transform: &Value) -> Conflicts {
    let handler = |of: &Value| of.get("ConflictHandler").and_then(Value::as_str).map(str::to_owned);
    let config = transform.get("ResolverConfig").unwrap_or(&Value::Null);
    let models = config.get("models").and_then(Value::as_object).into_iter().flatten();
    Conflicts {
        project: config.get("project").and_then(handler),
        models: models.filter_map(|(name, of)| Some((name.clone(), handler(of)?))).collect(),
    }
}

/// The schema's files, in the order of their names.
pub(super) struct Sources {
    files: Vec<(PathBuf, String)>,
}

impl Sources {
    fn read(api: &Path) -> Outcome<Self> {
        let mut paths = Vec::new();
        if api.join("schema.graphql").is_file() {
            paths.push(api.join("schema.graphql"));
        }
        if api.join("schema").is_dir() {
            collect(&api.join("schema"), &mut paths)?;
        }
        if paths.is_empty() {
            return Err(Failure::failed(format!("{} holds no *.graphql file", api.join("schema").display())));
        }
        let read = |path: PathBuf| match fs::read_to_string(&path) {
            Ok(text) => Ok((path, text)),
            Err(error) => Err(Failure::unreadable(&path, &error)),
        };
        Ok(Self { files: paths.into_iter().map(read).collect::<Outcome<_>>()? })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.files.iter().map(|(path, _)| path.display().to_string())
    }

    /// All files as one text.
    pub(super) fn text(&self) -> String {
        self.files.iter().map(|(_, text)| format!("{}\n", text.trim_end_matches('\n'))).collect()
    }

    /// The schema and its warnings; an error shows each place in the file where it stands.
    pub(super) fn parse(&self) -> Outcome<Parsed> {
        schema::parse("schema.graphql", &self.text()).map_err(|mut found| {
            found.findings.retain(|finding| finding.severity == Severity::Error);
            let rendered: Vec<String> = self.apart(found).iter().map(|one| one.render(stderr_is_colored())).collect();
            Failure::failed(format!("the schema was refused, and nothing was written\n\n{}", rendered.join("\n")))
        })
    }

    /// Findings about the whole text as findings about its files.
    pub(super) fn apart(&self, found: Diagnostics) -> Vec<Diagnostics> {
        let mut rest = found.findings;
        let (mut bytes, mut lines) = (0, 0);
        let mut apart = Vec::new();
        for (path, text) in &self.files {
            let source = format!("{}\n", text.trim_end_matches('\n'));
            let (end, before) = (bytes + source.len(), lines);
            let (here, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|finding| finding.span.start < end);
            rest = later;
            lines += source.matches('\n').count();
            let moved = here.into_iter().map(|finding| Diagnostic {
                span: finding.span.start - bytes..finding.span.end.min(end) - bytes,
                line: finding.line - before,
                ..finding
            });
            let findings: Vec<Diagnostic> = moved.collect();
            bytes = end;
            if !findings.is_empty() {
                apart.push(Diagnostics { findings, file: path.display().to_string(), source });
            }
        }
        apart
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Outcome {
    for path in entries(folder)? {
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "graphql") {
            paths.push(path);
        }
    }
    Ok(())
}
