//! JSON Schema, as far as the schema of the records uses it. A keyword that is not
//! known here fails the test that meets it.

use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

/// A schema that values are checked against.
#[derive(Debug)]
pub(crate) struct Schema {
    root: Value,
    patterns: HashMap<String, Regex>,
}

impl Schema {
    pub(crate) fn new(root: Value) -> Self {
        let mut patterns = HashMap::new();
        collect_patterns(&root, &mut patterns);
        Self { root, patterns }
    }

    /// Whether `value` satisfies the schema; where it does not, and why.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        self.value(&self.root, value, "$")
    }

    fn value(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let schema = schema.as_object().unwrap();
        for (keyword, operand) in schema {
            let holds = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" => true,
                "$ref" => {
                    let pointer = operand.as_str().unwrap().strip_prefix('#').unwrap();
                    let target = self.root.pointer(pointer).unwrap();
                    self.value(target, value, at)?;
                    true
                }
                "oneOf" => self.matching(operand, value, at)? == 1,
                "anyOf" => self.matching(operand, value, at)? >= 1,
                "const" => value == operand,
                "enum" => operand.as_array().unwrap().contains(value),
                "type" => types(operand).iter().any(|name| is_of_type(value, name)),
                "minimum" => value
                    .as_i64()
                    .is_none_or(|n| n >= operand.as_i64().unwrap()),
                "maximum" => value
                    .as_i64()
                    .is_none_or(|n| n <= operand.as_i64().unwrap()),
                "pattern" => value
                    .as_str()
                    .is_none_or(|text| self.patterns[operand.as_str().unwrap()].is_match(text)),
                "required" => value.as_object().is_none_or(|object| {
                    types(operand).iter().all(|key| object.contains_key(*key))
                }),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.value(operand, item, &format!("{at}[{index}]"))?;
                    }
                    true
                }
                "properties" | "additionalProperties" => {
                    self.members(schema, value, at)?;
                    true
                }
                unknown => panic!("{unknown} is not known here"),
            };
            if !holds {
                return Err(format!("{at}: {keyword} {operand} does not hold"));
            }
        }
        Ok(())
    }

    /// How many of the alternatives hold; why none does.
    fn matching(&self, alternatives: &Value, value: &Value, at: &str) -> Result<usize, String> {
        let mut reasons = Vec::new();
        let mut count = 0;
        for alternative in alternatives.as_array().unwrap() {
            match self.value(alternative, value, at) {
                Ok(()) => count += 1,
                Err(reason) => reasons.push(reason),
            }
        }
        if count == 0 {
            return Err(reasons.join("; "));
        }
        Ok(count)
    }

    fn members(&self, schema: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
        let known = schema.get("properties").and_then(Value::as_object);
        for (key, member) in value.as_object().into_iter().flatten() {
            let described = known
                .and_then(|known| known.get(key))
                .or(schema.get("additionalProperties"));
            if let Some(described) = described {
                self.value(described, member, &format!("{at}.{key}"))?;
            }
        }
        Ok(())
    }
}

fn types(operand: &Value) -> Vec<&str> {
    match operand {
        Value::String(name) => vec![name],
        names => {
            let names = names.as_array().unwrap();
            names.iter().map(|name| name.as_str().unwrap()).collect()
        }
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type that is known here"),
    }
}

fn collect_patterns(schema: &Value, patterns: &mut HashMap<String, Regex>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(pattern)) = members.get("pattern") {
                patterns.insert(pattern.clone(), Regex::new(pattern).unwrap());
            }
            for member in members.values() {
                collect_patterns(member, patterns);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| collect_patterns(item, patterns)),
        _ => {}
    }
}
