//! Objects that a method hands out by reference, and takes.

use std::any::{Any, TypeId};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use tokio::sync::{OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use crate::child::object::object_cell::ObjectCell;
use crate::child::object::{Object, ObjectRef, call_scope, no_such_object};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::park::wait;
use crate::common::value::Handle;

/// An object that stays in its daemon and is handed out by reference: where a method has
/// a `Shared<Account>`, its caller has an `AccountProxy`.
///
/// A method that returns one, alone or inside of anything that serde can write, gives its
/// caller a proxy of the object, which lives until the last proxy and the last `Shared`
/// of it are dropped. A method that takes one is called with a proxy, and gets the very
/// object. The same object handed out twice has the same handle.
///
/// It is like an `Arc<RwLock<T>>`: cheap to clone, with calls through proxies taking
/// their turns at the same fair lock. As with any lock, whoever holds one object and
/// waits for another can wait for ever if somebody does the reverse; a method that is
/// given its own object and asks to [`write`](Shared::write) does.
///
/// ```
/// use oad::Shared;
///
/// struct Account(i64);
///
/// #[oad::object]
/// impl Account {
///     fn deposit(&mut self, amount: i64) -> i64 {
///         self.0 += amount;
///         self.0
///     }
/// }
///
/// struct Bank(Vec<Shared<Account>>);
///
/// #[oad::object]
/// impl Bank {
///     fn new() -> Self {
///         Bank(Vec::new())
///     }
///
///     // BankProxy::open(&self, start: i64) -> oad::Call<AccountProxy>
///     fn open(&mut self, start: i64) -> Shared<Account> {
///         let account = Shared::new(Account(start));
///         self.0.push(account.clone());
///         account
///     }
///
///     // BankProxy::close(&self, account: AccountProxy) -> oad::Call<i64>
///     fn close(&mut self, account: Shared<Account>) -> oad::Result<i64> {
///         self.0.retain(|other| *other != account);
///         Ok(account.blocking_read()?.0)
///     }
/// }
///
/// oad::test_daemon!();
/// ```
pub struct Shared<T> {
    object: ObjectRef,
    marker: PhantomData<fn() -> T>,
}

/// A shared object, held to be read; others may read it too.
pub struct SharedRef<T: Object>(SharedInner<T>);

/// A shared object, held alone.
pub struct SharedMut<T: Object>(OwnedRwLockMappedWriteGuard<ObjectCell, T>);

enum SharedInner<T> {
    Beside(OwnedRwLockReadGuard<ObjectCell, T>),
    /// The object's methods run one at a time, so nobody reads beside this.
    Alone(OwnedRwLockMappedWriteGuard<ObjectCell, T>),
}

// === impl Shared ===

impl<T: Object> Shared<T> {
    /// Has an object live by reference from now on.
    #[must_use]
    pub fn new(object: T) -> Self {
        Shared { object: ObjectRef::new(object.host()), marker: PhantomData }
    }

    /// Waits for the object's turn and holds it to be read, beside others that read it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchObject`] if a method that takes `self` has taken it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the turn up.
    pub async fn read(&self) -> Result<SharedRef<T>> {
        let guard = Arc::clone(&self.object.cell).read_owned().await;
        match OwnedRwLockReadGuard::try_map(guard, |kept| {
            kept.as_shared().and_then(<dyn Any>::downcast_ref)
        }) {
            Ok(guard) => Ok(SharedRef(SharedInner::Beside(guard))),
            Err(guard) => {
                drop(guard);
                self.write().await.map(|SharedMut(guard)| SharedRef(SharedInner::Alone(guard)))
            }
        }
    }

    /// Waits for the object's turn and holds it alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoSuchObject`] if a method that takes `self` has taken it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the turn up.
    pub async fn write(&self) -> Result<SharedMut<T>> {
        let guard = Arc::clone(&self.object.cell).write_owned().await;
        OwnedRwLockWriteGuard::try_map(guard, |kept| {
            kept.as_exclusive().and_then(<dyn Any>::downcast_mut)
        })
        .map(SharedMut)
        .map_err(|_| no_such_object())
    }

    /// As [`read`](Shared::read), in a sync method: the thread waits. In an async one it
    /// would hold up others.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn blocking_read(&self) -> Result<SharedRef<T>> {
        wait(self.read())
    }

    /// As [`write`](Shared::write), in a sync method: the thread waits. In an async one
    /// it would hold up others.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn blocking_write(&self) -> Result<SharedMut<T>> {
        wait(self.write())
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared { object: self.object.clone(), marker: PhantomData }
    }
}

/// Whether both are the same object.
impl<T> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.object.address() == other.object.address()
    }
}

impl<T> Eq for Shared<T> {}

/// As a handle, in the answer of a method of the daemon that the object lives in; nowhere
/// else.
impl<T> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match call_scope::current() {
            Some(scope) => scope.hand_out(&self.object).serialize(serializer),
            None => Err(ser::Error::custom(
                "a shared object can only be handed out by a method of its daemon",
            )),
        }
    }
}

/// From a handle, among the arguments of a method of the daemon that the object lives in;
/// nowhere else.
impl<'de, T: Object> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let handle = Handle::deserialize(deserializer)?;
        let found = match call_scope::current() {
            Some(scope) => scope.find(&handle),
            None => Err(Error::new(
                ErrorKind::WrongType,
                "a shared object can only be an argument of a method",
            )),
        };
        let object = found.map_err(de::Error::custom)?;
        // By its type and not by its name, which two types may share.
        if object.object_type() != TypeId::of::<T>() {
            let (found, wanted) = (object.description().name, T::DESCRIPTION.name);
            return Err(de::Error::custom(format_args!(
                "the object is a `{found}`, and not a `{wanted}`"
            )));
        }
        Ok(Shared { object, marker: PhantomData })
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("type", &self.object.description().name)
            .finish_non_exhaustive()
    }
}

// === impl SharedRef ===

impl<T: Object> Deref for SharedRef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            SharedInner::Beside(guard) => guard,
            SharedInner::Alone(guard) => guard,
        }
    }
}

impl<T: Object> fmt::Debug for SharedRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRef").field("type", &T::DESCRIPTION.name).finish_non_exhaustive()
    }
}

// === impl SharedMut ===

impl<T: Object> Deref for SharedMut<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Object> DerefMut for SharedMut<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Object> fmt::Debug for SharedMut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMut").field("type", &T::DESCRIPTION.name).finish_non_exhaustive()
    }
}
