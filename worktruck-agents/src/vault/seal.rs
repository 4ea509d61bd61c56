//! AES-256-GCM-SIV (RFC 8452), and what sealed bytes are bound to.

use aes_gcm_siv::{AeadInOut as _, Aes256GcmSiv, KeyInit as _, Nonce, Tag};
use worktruck_core::store::SecretName;
use worktruck_core::{Error, Result, TenantId};
use zeroize::Zeroizing;

use super::key::{KeyBytes, fill};

/// The first byte of what is sealed here: a later way to seal begins with another one.
const FORMAT: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;

/// What sealed bytes are bound to: they open with the same words only.
#[derive(Debug)]
pub(super) struct Context;

impl Context {
    /// That of a tenant's data key, when it is wrapped.
    pub(super) fn of_key(tenant: TenantId, number: u32) -> Vec<u8> {
        words(&[b"worktruck data key", tenant.as_uuid().as_bytes(), &number.to_be_bytes()])
    }

    /// That of a tenant's value of this name under its data key `number`.
    pub(super) fn of_value(tenant: TenantId, number: u32, name: &SecretName) -> Vec<u8> {
        let tenant = tenant.as_uuid();
        words(&[
            b"worktruck value",
            tenant.as_bytes(),
            &number.to_be_bytes(),
            name.purpose.as_bytes(),
            name.name.as_bytes(),
        ])
    }
}

/// Each word with its length before it, so that no two lists of words are the same bytes.
fn words(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words {
        bytes.extend_from_slice(&(word.len() as u64).to_be_bytes());
        bytes.extend_from_slice(word);
    }
    bytes
}

/// Seals `plain` under `key`, bound to `context`: the format, a random nonce, what is sealed, and its tag.
pub(super) fn seal(key: &KeyBytes, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let mut nonce = [0; NONCE];
    fill(&mut nonce)?;
    // Room for all of it from the start, so that the plain bytes are never moved.
    let mut sealed = Vec::with_capacity(1 + NONCE + plain.len() + TAG);
    sealed.push(FORMAT);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    let tag = cipher(key)
        .encrypt_inout_detached(&Nonce::from(nonce), context, (&mut sealed[1 + NONCE..]).into())
        .map_err(|_| Error::invalid("the value is too long to be sealed"))?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Opens what was sealed under `key` in the same context; nothing if it was not, or was changed since.
pub(super) fn open(key: &KeyBytes, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (format, rest) = sealed.split_first()?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
    let (body, tag) = rest.split_last_chunk::<TAG>()?;
    if *format != FORMAT {
        return None;
    }
    let mut plain = Zeroizing::new(body.to_vec());
    let (nonce, tag) = (Nonce::from(*nonce), Tag::from(*tag));
    cipher(key).decrypt_inout_detached(&nonce, context, plain.as_mut_slice().into(), &tag).ok()?;
    Some(plain)
}

fn cipher(key: &KeyBytes) -> Aes256GcmSiv {
    Aes256GcmSiv::new(key.expose().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8452, appendix C.2: the bytes are those of the standard, not just ones that this file opens.
    #[test]
    fn the_vectors_of_the_standard_open() {
        let key = KeyBytes::new({
            let mut key = [0; 32];
            key[0] = 1;
            key
        });
        let vectors = [
            ("", "", "07f5f4169bbf55a8400cd47ea6fd400f"),
            ("", "0100000000000000", "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"),
            ("01", "0200000000000000", "1de22967237a813291213f267e3b452f02d01ae33e4ec854"),
        ];
        for (context, plain, sealed) in vectors {
            let mut nonce = [0; NONCE];
            nonce[0] = 3;
            let bytes = [&[FORMAT][..], &nonce, &unhex(sealed)].concat();
            assert_eq!(*open(&key, &unhex(context), &bytes).expect("it opens"), unhex(plain), "{sealed}");
        }
    }

    fn unhex(text: &str) -> Vec<u8> {
        let pairs = text.as_bytes().chunks(2);
        pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn no_byte_of_what_is_sealed_and_of_its_context_can_be_changed() {
        let key = KeyBytes::new([7; 32]);
        let sealed = seal(&key, b"context", b"a secret").unwrap();
        assert_eq!(**open(&key, b"context", &sealed).unwrap(), *b"a secret");
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert!(open(&key, b"context", &changed).is_none(), "bit {bit} of byte {at}");
            }
            assert!(open(&key, b"context", &sealed[..at]).is_none(), "the first {at} bytes");
            assert!(open(&key, b"context", &sealed[at + 1..]).is_none(), "the bytes after {at}");
        }
        let longer = [&sealed[..], &[0]].concat();
        assert!(open(&key, b"context", &longer).is_none());
        for context in [&b"contexu"[..], b"contex", b"", b"context\0"] {
            assert!(open(&key, context, &sealed).is_none());
        }
        assert!(open(&KeyBytes::new([8; 32]), b"context", &sealed).is_none());
    }

    #[test]
    fn the_same_value_is_never_sealed_the_same_way_twice() {
        let key = KeyBytes::new([7; 32]);
        assert_ne!(seal(&key, b"", b"a secret").unwrap(), seal(&key, b"", b"a secret").unwrap());
    }

    #[test]
    fn words_that_are_cut_elsewhere_are_other_words() {
        assert_ne!(words(&[b"ab", b"c"]), words(&[b"a", b"bc"]));
        assert_ne!(words(&[b"", b"a"]), words(&[b"a", b""]));
    }
}
