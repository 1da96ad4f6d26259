//! The map of verified groups: `MDmap1`, 2 bytes zero, size, bitmap, then the BLAKE3 of all that.

use std::{fs, io, path::Path};

use super::{groups::Groups, tree::TreeFile};
use crate::wire::group_count;

const MAGIC: [u8; 8] = *b"MDmap1\0\0";
const HEAD: usize = MAGIC.len() + 8;
const CHECK: usize = 32;

/// Reads the map of a part; `None`, which means "verify", when it is missing, torn or of another size.
pub(crate) fn read(path: &Path, tree: &TreeFile) -> Option<Groups> {
    decode(&fs::read(path).ok()?, tree.size())
}

/// Replaces the map as a whole.
pub(crate) fn write(path: &Path, size: u64, groups: &Groups) -> io::Result<()> {
    let temporary = path.with_extension("map-new");
    fs::write(&temporary, encode(size, groups))?;
    fs::rename(&temporary, path)
}

fn encode(size: u64, groups: &Groups) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend(groups.words().iter().flat_map(|word| word.to_le_bytes()));
    let check = blake3::hash(&bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

fn decode(bytes: &[u8], size: u64) -> Option<Groups> {
    let (content, check) = bytes.split_at_checked(bytes.len().checked_sub(CHECK)?)?;
    let (head, words) = content.split_at_checked(HEAD)?;
    let fits = head.strip_prefix(&MAGIC)? == size.to_le_bytes();
    if !fits || blake3::hash(content).as_bytes() != check {
        return None;
    }
    let words = words.chunks(8).map(|word| word.try_into().ok().map(u64::from_le_bytes));
    Groups::from_words(words.collect::<Option<_>>()?, group_count(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_believed_only_whole() {
        let size = 300 * 16384;
        let mut groups = Groups::new(group_count(size));
        groups.insert(7..99);
        let bytes = encode(size, &groups);
        assert_eq!(decode(&bytes, size), Some(groups));
        assert_eq!(decode(&bytes, size + 1), None);
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut], size), None);
        }
        let mut flipped = bytes;
        flipped[20] ^= 1;
        assert_eq!(decode(&flipped, size), None);
    }
}
