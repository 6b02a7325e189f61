//! `get`, `describe`, `api-resources` (`pkg/cmd/get`, `pkg/cmd/describe`).

use serde_json::{Value, json};

use super::{Failure, Info, Session};
use crate::command::{Format, Get, Targets};
use crate::print::table::TableWriter;
use crate::print::{TableOptions, output, rows, sort};
use crate::resources::{RESOURCES, Resource};
use crate::value::text;

/// What a `get -w` goes on printing: changes of objects of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Watching {
    /// The resource.
    pub resource: &'static Resource,
    /// The namespace, empty for all or none.
    pub namespace: String,
    /// One object, or all.
    pub name: Option<String>,
    /// `-l`
    pub selector: Option<String>,
    /// `--field-selector`
    pub field_selector: Option<String>,
    /// How rows are laid out.
    pub options: TableOptions,
    /// `-o`
    pub format: Format,
    /// `--show-managed-fields`
    pub managed_fields: bool,
    /// `--allow-missing-template-keys=false`
    pub strict: bool,
    /// How many objects were printed that are no rows of a table.
    pub printed: u64,
}

impl Watching {
    /// One object that is no row of a table: as it was found, or as it became.
    ///
    /// Custom columns have their head once; documents of YAML are divided.
    pub fn print(&mut self, object: &Value, format: &Format) -> (String, Option<String>) {
        let options = output::Options {
            managed_fields: self.managed_fields,
            strict: self.strict,
            no_headers: self.options.no_headers || self.printed > 0,
        };
        let (mut text, error) = output::print(object, format, &options);
        if *format == Format::Yaml && self.printed > 0 {
            text.insert_str(0, "---\n");
        }
        self.printed += 1;
        (text, error)
    }
}

impl Session<'_> {
    pub(super) fn get(&mut self, get: &Get) -> Result<(), Failure> {
        let get = &Get {
            format: output::read_file(&get.format, self.files).map_err(Failure::Message)?,
            ..get.clone()
        };
        let (infos, mut failures) = self.visit(&get.targets, "get")?;
        if get.ignore_not_found {
            failures.retain(|failure| !failure.is_not_found());
        }
        let shown = match &get.format {
            Format::Human | Format::Wide => self.print_tables(get, infos),
            format => self.print_objects(get, format, infos),
        };
        if let Err(failure) = shown {
            failures.push(failure);
        }
        self.finish(failures)
    }

    fn several_kinds(targets: &Targets) -> bool {
        let Some(first) = targets.args.first() else {
            return false;
        };
        first.contains(',') || first == "all" || targets.args.iter().any(|arg| arg.contains('/'))
    }

    fn print_tables(&mut self, get: &Get, infos: Vec<Info>) -> Result<(), Failure> {
        let watch = if get.watch { Some(self.watching(get)?) } else { None };
        if infos.is_empty() {
            if !get.ignore_not_found && !get.watch && self.out.stderr.is_empty() && !Session::named(&get.targets) {
                let resources = Session::resolve(&get.targets.args)?;
                let global = self.all_namespaces || resources.iter().all(|target| !target.resource.namespaced);
                let namespace = self.namespace.clone();
                self.warn(if global {
                    "No resources found".to_owned()
                } else {
                    format!("No resources found in {namespace} namespace.")
                });
            }
            self.out.watches = watch;
            return Ok(());
        }
        let mut groups: Vec<(&'static Resource, Vec<Value>)> = Vec::new();
        for info in infos {
            // Objects of one kind are printed together, but only as far as they stand together.
            match groups.last_mut() {
                Some((resource, objects)) if *resource == info.resource => objects.push(info.object),
                _ => groups.push((info.resource, vec![info.object])),
            }
        }
        let prefix = get.show_kind
            || Session::several_kinds(&get.targets)
                && (groups.len() > 1
                    || get
                        .targets
                        .args
                        .first()
                        .is_some_and(|first| first == "all" || first.contains(',')))
            || get.targets.args.iter().any(|arg| arg.contains('/')) && groups.len() > 1;
        let now = self.now();
        let mut first = true;
        for (resource, mut objects) in groups {
            if let Some(path) = &get.sort_by {
                objects = sort::by_path(objects, path).map_err(Failure::Message)?;
            }
            let options = self.table_options(get, resource, prefix);
            if !first {
                self.say("");
            }
            first = false;
            if !get.watch_only {
                let mut text = String::new();
                TableWriter::default().write(&rows(resource.kind, &objects, now, &options), &mut text);
                self.out.stdout.push_str(&text);
            }
        }
        self.out.watches = watch;
        Ok(())
    }

    fn named(targets: &Targets) -> bool {
        targets.args.len() > 1 || targets.args.iter().any(|arg| arg.contains('/')) || !targets.files.is_empty()
    }

    fn table_options(&self, get: &Get, resource: &Resource, prefix: bool) -> TableOptions {
        TableOptions {
            wide: get.format == Format::Wide,
            no_headers: get.no_headers,
            with_namespace: self.all_namespaces && resource.namespaced,
            show_labels: get.show_labels,
            label_columns: get.label_columns.clone(),
            kind_prefix: prefix.then(|| resource.singular_group()),
        }
    }

    fn watching(&self, get: &Get) -> Result<Watching, Failure> {
        let targets = Session::resolve(&get.targets.args)?;
        let [target] = targets.as_slice() else {
            return Err("you may only specify a single resource type".into());
        };
        let resource = target.resource;
        let mut options = self.table_options(get, resource, get.show_kind);
        if matches!(get.format, Format::Human | Format::Wide) {
            options.no_headers |= !get.watch_only;
        }
        Ok(Watching {
            resource,
            namespace: if self.all_namespaces {
                String::new()
            } else {
                self.scope(resource)
            },
            name: target.name.clone(),
            selector: get.targets.selector.clone(),
            field_selector: get.targets.field_selector.clone(),
            options,
            format: get.format.clone(),
            managed_fields: get.show_managed_fields,
            strict: get.strict_template,
            printed: 0,
        })
    }

    fn print_objects(&mut self, get: &Get, format: &Format, infos: Vec<Info>) -> Result<(), Failure> {
        if get.watch {
            return self.print_watched(get, format, infos);
        }
        if *format == Format::Name {
            for info in &infos {
                self.say(info.shown());
            }
            return Ok(());
        }
        let single = Session::named(&get.targets) && infos.len() == 1;
        let mut objects: Vec<Value> = infos.into_iter().map(|info| info.object).collect();
        if objects.is_empty() && Session::named(&get.targets) {
            return Ok(());
        }
        if let Some(path) = &get.sort_by {
            objects = sort::by_path(objects, path).map_err(Failure::Message)?;
        }
        let shown = if single {
            objects.pop().unwrap_or_default()
        } else {
            json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": objects})
        };
        let (text, error) = output::print(
            &shown,
            format,
            &output::Options {
                managed_fields: get.show_managed_fields,
                strict: get.strict_template,
                no_headers: get.no_headers,
            },
        );
        self.out.stdout.push_str(&text);
        error.map_or(Ok(()), |error| Err(Failure::Message(error)))
    }

    /// With `-w` each object is printed by itself, as each change is.
    fn print_watched(&mut self, get: &Get, format: &Format, infos: Vec<Info>) -> Result<(), Failure> {
        let mut watch = self.watching(get)?;
        for info in infos.iter().filter(|_| !get.watch_only) {
            let (text, error) = watch.print(&info.object, format);
            self.out.stdout.push_str(&text);
            if let Some(error) = error {
                return Err(Failure::Message(error));
            }
        }
        self.out.watches = Some(watch);
        Ok(())
    }

    pub(super) fn describe(&mut self, targets: &Targets, events: bool) -> Result<(), Failure> {
        let (mut infos, mut failures) = self.visit(targets, "describe")?;
        // A name that matches nothing is tried as a prefix.
        if infos.is_empty() && failures.len() == 1 && failures[0].is_not_found() {
            let wanted = Session::resolve(&targets.args)?;
            if let [target] = wanted.as_slice()
                && let Some(prefix) = &target.name
            {
                let namespace = self.scope(target.resource);
                let found = self.list_all(target.resource, &namespace, None, None)?;
                infos = found
                    .into_iter()
                    .filter(|object| text(object, "/metadata/name").starts_with(prefix.as_str()))
                    .map(|object| Info {
                        resource: target.resource,
                        namespace: namespace.clone(),
                        name: text(&object, "/metadata/name").to_owned(),
                        object,
                        source: None,
                    })
                    .collect();
                if !infos.is_empty() {
                    failures.clear();
                }
            }
        }
        if infos.is_empty() && failures.is_empty() {
            let global = self.all_namespaces
                || Session::resolve(&targets.args)?
                    .iter()
                    .all(|target| !target.resource.namespaced);
            let namespace = self.namespace.clone();
            self.warn(if global {
                "No resources found".to_owned()
            } else {
                format!("No resources found in {namespace} namespace.")
            });
        }
        for (index, info) in infos.iter().enumerate() {
            if index > 0 {
                self.out.stdout.push_str("\n\n");
            }
            let text = self.describe_one(info, events)?;
            self.out.stdout.push_str(&text);
        }
        self.finish(failures)
    }

    fn describe_one(&mut self, info: &Info, events: bool) -> Result<String, Failure> {
        let now = self.now();
        let mut around = Vec::new();
        for (resource, namespace, selector, field_selector) in crate::describe::needs(&info.object, events) {
            // What cannot be read is left out, as the real client does.
            if let Ok(found) = self.list_all(resource, &namespace, selector.as_deref(), field_selector.as_deref()) {
                around.extend(found);
            }
        }
        Ok(crate::describe::describe(&info.object, &around, now, events))
    }

    pub(super) fn api_resources(&mut self) {
        let mut rows = vec![
            ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for resource in RESOURCES {
            rows.push(vec![
                resource.plural.to_owned(),
                resource.short.join(","),
                resource.api_version(),
                resource.namespaced.to_string(),
                resource.kind.to_owned(),
            ]);
        }
        TableWriter::default().write(&rows, &mut self.out.stdout);
    }
}
