//! Serde has no arrays beyond 32.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

pub(super) fn serialize<S: Serializer, T: Serialize, const N: usize>(
    slots: &[T; N],
    to: S,
) -> Result<S::Ok, S::Error> {
    slots.as_slice().serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>, const N: usize>(
    from: D,
) -> Result<[T; N], D::Error> {
    let slots = Vec::<T>::deserialize(from)?;
    slots
        .try_into()
        .map_err(|slots: Vec<T>| D::Error::custom(format!("{} slots instead of {N}", slots.len())))
}
