//! A copy of a trace without secrets.

use super::redact::Redactor;
use crate::event::Event;
use crate::trace::{Session, Trace, Writer};
use minicbor::data::Token;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of the redacted copy of a trace file. What the file lacks the copy lacks too, as events that say so.
///
/// # Errors
/// The file is no readable trace.
pub(super) fn redacted(path: &Path, redactor: &mut Redactor) -> Result<Vec<u8>, crate::trace::Error> {
    let mut trace = Trace::open(path)?;
    let session = trace.session().cloned().unwrap_or_default();
    let session: Session = without_secrets(&session, redactor).unwrap_or_default();
    let copy = Memory::default();
    let mut writer = Writer::stream("the redacted copy of the trace", copy.clone(), &session)?;
    for event in trace.by_ref() {
        // What cannot be redacted is not passed on.
        if let Some(event) = without_secrets::<Event>(&event, redactor) {
            writer.append(&event)?;
        }
    }
    match &trace.summary().totals {
        Some(totals) => drop(writer.finish(totals.clone())?),
        // The copy says too that nobody closed it.
        None => {
            writer.flush_block()?;
            drop(writer);
        }
    }
    Ok(copy.take())
}

/// Every text in the value, whatever the value is made of: a field that is added later is not forgotten.
fn without_secrets<T>(value: &T, redactor: &mut Redactor) -> Option<T>
where
    T: minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>,
{
    let bytes = minicbor::to_vec(value).ok()?;
    let mut copy = minicbor::Encoder::new(Vec::with_capacity(bytes.len()));
    for token in minicbor::decode::Tokenizer::new(&bytes) {
        match token.ok()? {
            Token::String(text) => copy.str(&redactor.text(text)).map(|_| ()).ok()?,
            Token::Bytes(bytes) => match std::str::from_utf8(bytes) {
                // Names of tasks.
                Ok(text) => copy.bytes(redactor.text(text).as_bytes()).map(|_| ()).ok()?,
                Err(_) => copy.bytes(bytes).map(|_| ()).ok()?,
            },
            token => copy.tokens(&[token]).map(|_| ()).ok()?,
        };
    }
    minicbor::decode(&copy.into_writer()).ok()
}

/// A file in memory that can be read when the writer is done with it.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
