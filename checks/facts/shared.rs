//! Lists that thousands of objects have in common.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list that never changes, and of which the same one, read next, takes no memory: the pods of one application stand one
/// behind the other, with the same containers, labels and owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared<T>(Arc<[T]>);

thread_local! {
    /// The last list of each type that this thread has read.
    static LAST: RefCell<HashMap<TypeId, Box<dyn Any>>> = RefCell::default();
}

impl<T: PartialEq + 'static> From<Vec<T>> for Shared<T> {
    fn from(list: Vec<T>) -> Shared<T> {
        if list.is_empty() {
            return Shared::default();
        }
        LAST.with_borrow_mut(|last| {
            let last = last.entry(TypeId::of::<T>()).or_insert_with(|| Box::new(Shared::<T>::default()));
            let last = last.downcast_mut::<Shared<T>>().expect("it is kept by its type");
            if **last != *list {
                *last = Shared(list.into());
            }
            Shared(Arc::clone(&last.0))
        })
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared(Arc::default())
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}

impl<'de, T: Deserialize<'de> + PartialEq + 'static> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Shared<T>, D::Error> {
        Ok(Vec::<T>::deserialize(d)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_list_is_there_once() {
        let read = |json: &str| serde_json::from_str::<Shared<i64>>(json).unwrap();
        let (first, second, other) = (read("[1,2]"), read("[1,2]"), read("[1]"));
        assert!(Arc::ptr_eq(&first.0, &second.0) && first == second);
        assert_eq!((&*first, &*other, &*read("[]")), (&[1, 2][..], &[1][..], &[][..]));
        assert_eq!(serde_json::to_string(&second).unwrap(), "[1,2]");
    }
}
