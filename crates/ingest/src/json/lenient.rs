//! Values that are read if they have the expected kind, and skipped if not.
//!
//! Dumps of tweets have numbers as strings, strings as numbers, `{}` for empty lists (R) and `[]` for empty objects
//! (PHP). No tweet must be lost to that, so a value of an unexpected type never makes parsing fail.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::value;

/// Defines the visitor methods that skip values of the kinds named.
macro_rules! pass_over {
    (@one null) => { fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@one bool) => { fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@one unsigned) => { fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@one signed) => { fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@one float) => { fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@one string) => { fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> { Ok(Self::Value::default()) } };
    (@one list) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    (@one object) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
    ($($kind:ident)*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str("any JSON value") }
        $( pass_over!(@one $kind); )*
    };
}

pub(super) use pass_over;

/// A string, or the digits of a non-negative integer. Other numbers are skipped: as floats, they may have been rounded.
#[derive(Debug, Clone, Default)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for TextVisitor<'a> {
            type Value = Text<'a>;
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Text<'a>, E> {
                Ok(Text(Some(Cow::Owned(number.to_string()))))
            }
            pass_over!(null bool signed float list object);
        }
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

/// A list of texts, or a single one. What is no text is skipped.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts<'a>(pub(super) Vec<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextsVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for TextsVisitor<'a> {
            type Value = Texts<'a>;
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts<'a>, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element::<Text<'a>>()? {
                    texts.extend(text.0.filter(|_| texts.len() < MAX_ITEMS));
                }
                Ok(Texts(texts))
            }
            fn visit_str<E>(self, text: &str) -> Result<Texts<'a>, E> {
                Ok(Texts(vec![Cow::Owned(text.to_owned())]))
            }
            pass_over!(null bool unsigned signed float object);
        }
        deserializer.deserialize_any(TextsVisitor(PhantomData))
    }
}

/// A count, as a number or as digits; and whether there is something else instead.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Number(pub(super) Option<u64>, pub(super) bool);

impl Number {
    fn of(count: Option<u64>) -> Number {
        Number(count, count.is_none())
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl<'de> Visitor<'de> for NumberVisitor {
            type Value = Number;
            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(Some(number), false))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                // pandas writes counts as floats (`5.0`) when a column has gaps. Beyond 2^53, a float has lost digits.
                let whole = number >= 0.0 && number.fract() == 0.0 && number < 9e15;
                Ok(Number::of(whole.then_some(number as u64)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(match value::is_missing(text) {
                    true => Number::default(),
                    false => Number::of(value::count(text)),
                })
            }
            fn visit_i64<E>(self, _: i64) -> Result<Number, E> {
                Ok(Number(None, true))
            }
            pass_over!(null bool list object);
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// An object; `None` if the value has another type.
#[derive(Debug, Clone)]
pub(super) struct Object<T>(pub(super) Option<Box<T>>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Object(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
                    .map(|value| Object(Some(Box::new(value))))
            }
            pass_over!(null bool unsigned signed float string list);
        }
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// The most items that a list may have, which is more than any real record has. Without a limit, a flood of empty
/// objects would take many times the memory of its text.
const MAX_ITEMS: usize = 50_000;

/// A list of objects; `None` if the value has another type. A single object counts as a list of one.
#[derive(Debug, Clone)]
pub(super) struct List<T>(pub(super) Option<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<Object<T>>()? {
                    if items.len() == MAX_ITEMS {
                        let error = format!("a list has more than {MAX_ITEMS} items");
                        return Err(A::Error::custom(error));
                    }
                    // Lists with a `null` in them exist; the rest of such a list is fine.
                    items.extend(item.0.map(|item| *item));
                }
                Ok(List(Some(items)))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<List<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|value| List(Some(vec![value])))
            }
            pass_over!(null bool unsigned signed float string);
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// The numbers of a GeoJSON geometry in order, however deep its lists are nested: two of a point,
/// four of a box, eight of a polygon of four corners.
#[derive(Debug, Clone, Default)]
pub(super) struct Coordinates {
    pub(super) numbers: Vec<f64>,
    /// Whether they stood in an object (v2's `geo.coordinates` is a whole GeoJSON Point) and not in a plain list.
    pub(super) is_object: bool,
}

impl Coordinates {
    fn of(number: f64) -> Coordinates {
        Coordinates { numbers: vec![number], is_object: false }
    }
}

impl<'de> Deserialize<'de> for Coordinates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CoordinatesVisitor;
        impl<'de> Visitor<'de> for CoordinatesVisitor {
            type Value = Coordinates;
            fn visit_u64<E>(self, number: u64) -> Result<Coordinates, E> {
                Ok(Coordinates::of(number as f64))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Coordinates, E> {
                Ok(Coordinates::of(number as f64))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Coordinates, E> {
                Ok(Coordinates::of(number))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Coordinates, A::Error> {
                let mut numbers = Vec::new();
                while let Some(inner) = seq.next_element::<Coordinates>()? {
                    numbers.extend(inner.numbers);
                }
                Ok(Coordinates { numbers, is_object: false })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Coordinates, A::Error> {
                let mut numbers = Vec::new();
                while let Some(key) = map.next_key::<Cow<'_, str>>()? {
                    match &*key {
                        "coordinates" => numbers = map.next_value::<Coordinates>()?.numbers,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Coordinates { numbers, is_object: true })
            }
            fn visit_str<E>(self, text: &str) -> Result<Coordinates, E> {
                // Archives write numbers as strings.
                Ok(text.parse().map(Coordinates::of).unwrap_or_default())
            }
            pass_over!(null bool);
        }
        deserializer.deserialize_any(CoordinatesVisitor)
    }
}

/// Whether a key is there with anything but `null`, `false`, `{}` or `[]`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Present(pub(super) bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PresentVisitor;
        impl<'de> Visitor<'de> for PresentVisitor {
            type Value = Present;
            fn visit_bool<E>(self, value: bool) -> Result<Present, E> {
                Ok(Present(value))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Present, E> {
                Ok(Present(true))
            }
            fn visit_str<E>(self, _: &str) -> Result<Present, E> {
                Ok(Present(true))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Present, A::Error> {
                let mut any = false;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    any = true;
                }
                Ok(Present(any))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Present, A::Error> {
                let mut any = false;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    any = true;
                }
                Ok(Present(any))
            }
            pass_over!(null signed float);
        }
        deserializer.deserialize_any(PresentVisitor)
    }
}
