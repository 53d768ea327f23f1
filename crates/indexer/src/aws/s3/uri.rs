//! Addresses of objects: `s3://bucket/key`.

use std::fmt;
use std::str::FromStr;

/// The address of an object, or of all objects whose keys begin with its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct S3Uri {
    /// The name of the bucket.
    pub(crate) bucket: String,
    /// The key, or a prefix of keys; empty for the whole bucket. It is not encoded, unlike in URLs and in S3's
    /// events.
    pub(crate) key: String,
}

impl S3Uri {
    /// The address of `name` below this one.
    pub(crate) fn join(&self, name: &str) -> S3Uri {
        let separator = if self.key.is_empty() || self.key.ends_with('/') { "" } else { "/" };
        let key = format!("{}{separator}{name}", self.key);
        S3Uri { bucket: self.bucket.clone(), key }
    }

    /// Whether `other` is one of the objects whose keys begin with this one's.
    pub(crate) fn covers(&self, other: &S3Uri) -> bool {
        self.bucket == other.bucket && other.key.starts_with(&self.key)
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for S3Uri {
    type Err = String;

    fn from_str(text: &str) -> Result<S3Uri, String> {
        let form = "write it as s3://bucket/prefix/";
        let rest = text.strip_prefix("s3://").ok_or(form)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        match bucket {
            "" => Err(form.to_owned()),
            _ => Ok(S3Uri { bucket: bucket.to_owned(), key: key.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_buckets_and_keys() {
        let prefix: S3Uri = "s3://tweets/rejects".parse().unwrap();
        assert_eq!(prefix.join("a b").to_string(), "s3://tweets/rejects/a b");
        assert!("s3://tweets".parse::<S3Uri>().unwrap().covers(&prefix));
        assert!(!"s3://other/rejects".parse::<S3Uri>().unwrap().covers(&prefix));
        for wrong in ["", "tweets/rejects", "s3://", "s3:///key", "https://tweets/"] {
            assert!(wrong.parse::<S3Uri>().is_err(), "{wrong}");
        }
    }
}
