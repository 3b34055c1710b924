//! The bytes: tags, numbers of variable length, and what has a length.

use std::fmt;

/// What is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It ends inside of something that it says is longer.
    Cut,
    /// It is no encoding of anything.
    Broken,
    /// It is one of something else: `no list`.
    Other(&'static str),
    /// It does not fit the struct that reads it; may quote what stands there.
    Shape(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Cut => f.write_str("it ends in the middle"),
            Error::Broken => f.write_str("it is broken"),
            Error::Other(what) => write!(f, "it is {what}"),
            Error::Shape(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(what: T) -> Error {
        Error::Shape(what.to_string())
    }
}

/// What stands in a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Number(u64),
    /// Text, a message, or an item of a map.
    Bytes(&'a [u8]),
    /// Four or eight bytes, which no field that is read has.
    Fixed,
}

impl<'a> Value<'a> {
    /// # Errors
    /// When it is a number.
    pub fn bytes(self) -> Result<&'a [u8], Error> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Error::Broken),
        }
    }

    /// # Errors
    /// When it is none.
    pub fn number(self) -> Result<u64, Error> {
        match self {
            Value::Number(number) => Ok(number),
            _ => Err(Error::Broken),
        }
    }
}

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(pub &'a [u8]);

impl<'a> Message<'a> {
    /// The next field; `None` at the end.
    ///
    /// # Errors
    /// When it is cut, or no message.
    #[inline]
    pub fn field(&mut self) -> Result<Option<(u32, Value<'a>)>, Error> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, form) = self.tag()?;
        let value = match form {
            0 => Value::Number(self.number()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.number()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            // Groups, which Kubernetes never had.
            _ => return Err(Error::Broken),
        };
        Ok(Some((number, value)))
    }

    /// What the field of that number holds: of several the last.
    ///
    /// # Errors
    /// When it is a number, or this is no message.
    pub fn bytes(mut self, wanted: u32) -> Result<Option<&'a [u8]>, Error> {
        let mut found = None;
        while let Some((number, value)) = self.field()? {
            if number == wanted {
                found = Some(value.bytes()?);
            }
        }
        Ok(found)
    }

    /// The number of the next field, and what there is of its content so far.
    ///
    /// # Errors
    /// When there is not enough to tell, or it has no content.
    pub fn beginning(self) -> Result<(u32, &'a [u8]), Error> {
        let mut rest = self;
        let (number, form) = rest.tag()?;
        if form != 2 {
            return Err(Error::Broken);
        }
        rest.number()?;
        Ok((number, rest.0))
    }

    /// Whether the next field has that number.
    #[inline]
    pub fn goes_on(mut self, number: u32) -> bool {
        self.tag().is_ok_and(|(next, _)| next == number)
    }

    #[inline]
    fn tag(&mut self) -> Result<(u32, u8), Error> {
        let tag = self.number()?;
        match u32::try_from(tag >> 3) {
            Ok(number) if number > 0 => Ok((number, (tag & 7) as u8)),
            _ => Err(Error::Broken),
        }
    }

    #[inline]
    fn number(&mut self) -> Result<u64, Error> {
        match self.0 {
            // Nearly all of them.
            [byte @ 0..0x80, rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, Error> {
        let mut number = 0u64;
        for (at, &byte) in self.0.iter().enumerate() {
            // Ten bytes hold 64 bits; of the last one counts a single one.
            if at == 9 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                self.0 = &self.0[at + 1..];
                return Ok(number);
            }
        }
        Err(if self.0.len() < 10 { Error::Cut } else { Error::Broken })
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Error> {
        let length = usize::try_from(length).map_err(|_| Error::Cut)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Error::Cut)?;
        self.0 = rest;
        Ok(taken)
    }
}
