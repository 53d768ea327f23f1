//! Looks up secrets by their ARN, in Secrets Manager or in the Parameter Store of Systems Manager.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::json::{self, Service};
use crate::failure::{Context, Failure, Result};
use crate::runtime::runtime;

const SECRETS_MANAGER: Service =
    Service { name: "secretsmanager", id: "SECRETS_MANAGER", target: "secretsmanager" };
const SYSTEMS_MANAGER: Service = Service { name: "ssm", id: "SSM", target: "AmazonSSM" };

/// Whether a setting is the ARN of a secret, and not the secret itself.
pub(crate) fn is_reference(value: &str) -> bool {
    let service = value.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(1));
    matches!(service, Some("secretsmanager" | "ssm"))
}

/// The value of a secret.
pub(crate) enum Secret {
    /// The whole secret is one text.
    Text(String),
    /// The secret is a JSON object with several values.
    Keys(Map<String, Value>),
}

impl Secret {
    /// The value of a key of the JSON object. `None` for plain text, or if the key is missing or its value is not a
    /// string.
    pub(crate) fn key(&self, key: &str) -> Option<&str> {
        match self {
            Secret::Text(_) => None,
            Secret::Keys(object) => object.get(key)?.as_str(),
        }
    }

    /// The text, or the value of the first of `keys` that the JSON object has.
    ///
    /// # Errors
    ///
    /// If it has none of them.
    pub(crate) fn one_of(&self, keys: &[&str]) -> Result<String> {
        let object = match self {
            Secret::Text(text) => return Ok(text.clone()),
            Secret::Keys(object) => object,
        };
        let value = keys.iter().find_map(|key| self.key(key));
        value.map(str::to_owned).ok_or_else(|| {
            let (wanted, names) = (keys.join(" or "), object.keys().map(String::as_str));
            let names = names.collect::<Vec<_>>().join(", ");
            let failure =
                Failure::new(format!("the secret has no key {wanted}; its keys are {names}"));
            failure.with_hint("append the key to use to the ARN: arn:…:secret:NAME:KEY")
        })
    }
}

/// Looks up a secret. To select one key of a JSON secret, append it to the ARN as in ECS: `arn:…:secret:name:key`.
///
/// # Errors
///
/// If the secret cannot be read. No error message contains its value.
pub(crate) fn read(arn: &str) -> Result<Secret> {
    let form = "write it as arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME or arn:aws:ssm:REGION:ACCOUNT:parameter/NAME";
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", _, service, region, _, _, ..] = parts[..] else {
        return Err(Failure::new(format!("`{arn}` is not an ARN")).with_hint(form));
    };
    // The ARN of a secret has seven parts; what follows is ECS's `:key:version-stage:version-id`,
    // of which only the key is used.
    let (id, key) = match (service, parts.len()) {
        ("secretsmanager", 8..) => (parts[..7].join(":"), parts.get(7).copied()),
        _ => (arn.to_owned(), None),
    };
    let (api, operation, body) = match service {
        "secretsmanager" => (SECRETS_MANAGER, "GetSecretValue", json!({ "SecretId": id })),
        _ => (SYSTEMS_MANAGER, "GetParameter", json!({ "Name": id, "WithDecryption": true })),
    };
    let answer = runtime()
        .context("cannot start threads")?
        .block_on(call(api, operation, region, &body.to_string()))
        .with_context(|| format!("cannot read the secret `{id}`"))?;
    let text = match service {
        "secretsmanager" => &answer["SecretString"],
        _ => &answer["Parameter"]["Value"],
    };
    let text =
        text.as_str().ok_or_else(|| Failure::new(format!("the secret `{id}` holds no text")))?;
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else {
        // `aws secretsmanager create-secret --secret-string file://…` keeps the file's last line end.
        return Ok(Secret::Text(text.trim_end_matches(['\r', '\n']).to_owned()));
    };
    let secret = Secret::Keys(object);
    match key.filter(|key| !key.is_empty()) {
        Some(key) => secret.one_of(&[key]).map(Secret::Text),
        None => Ok(secret),
    }
}

/// Calls an operation that reads a secret, up to three times.
async fn call(service: Service, operation: &str, region: &str, body: &str) -> Result<Value> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match json::call(service, operation, Some(region), body.as_bytes()).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if !error.is_passing() {
            let refused = Failure::from(error);
            return Err(refused.with_hint(
                "check the ARN, and that the role has secretsmanager:GetSecretValue or ssm:GetParameter on it, and kms:Decrypt on its key",
            ));
        }
        if attempts == 3 {
            return Err(Failure::new(error.to_string()).with_hint(
                "check that the service can be reached: a function in a VPC needs a NAT gateway or a VPC endpoint for it",
            ));
        }
        tokio::time::sleep(Duration::from_millis(200 * attempts)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::is_reference;

    #[test]
    fn only_names_of_secrets_are_looked_up() {
        for (value, expected) in [
            ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:tweets-AbCdEf", true),
            ("arn:aws-cn:ssm:cn-north-1:123456789012:parameter/tweets/key", true),
            ("arn:aws:s3:::tweets", false),
            ("VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw", false),
            ("", false),
        ] {
            assert_eq!(is_reference(value), expected, "{value}");
        }
    }
}
