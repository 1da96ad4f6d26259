use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    sync::Arc,
};

use bao_tree::{
    BaoTree, BlockSize, ChunkNum, ChunkRanges, TreeNode,
    io::{
        EncodeError,
        sync::{self, Outboard, OutboardMut, ReadAt},
    },
};
use bytes::{BufMut, Bytes, BytesMut};
use domain::BlobHash;

use super::groups::Groups;
use crate::wire::{GROUP, group_count};

/// 2^4 chunks of 1 KiB: 16 KiB groups.
const BLOCK: BlockSize = BlockSize::from_chunk_log(4);
const CHUNKS_PER_GROUP: u64 = 16;
/// The outboard file begins with the blob's size, 8 bytes little-endian, as in the bao format.
const PREFIX: u64 = 8;
const PAIR: usize = 64;

/// The verification tree of one blob, in a file: size, then hash pairs in pre-order.
#[derive(Clone, Debug)]
pub(crate) struct TreeFile {
    root: blake3::Hash,
    tree: BaoTree,
    file: Arc<File>,
}

/// Returns the geometry of a blob's tree.
pub(crate) fn geometry(size: u64) -> BaoTree {
    BaoTree::new(size, BLOCK)
}

/// Turns groups into the chunks that bao counts in.
pub(crate) fn chunks(groups: &[Range<u64>]) -> ChunkRanges {
    let scaled = groups.iter().map(|range| {
        ChunkRanges::from(ChunkNum(range.start * CHUNKS_PER_GROUP)..ChunkNum(range.end * CHUNKS_PER_GROUP))
    });
    scaled.fold(ChunkRanges::empty(), |all, range| all | range)
}

/// Writes without moving a cursor that other users of the file share.
#[cfg(unix)]
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Writes without moving a cursor that other users of the file rely on.
#[cfg(windows)]
pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = bytes.get(written..).filter(|_| written > 0).ok_or(io::ErrorKind::WriteZero)?;
        offset += written as u64;
    }
    Ok(())
}

impl TreeFile {
    /// Begins the tree file of a blob of this size.
    pub(crate) fn create(file: File, root: BlobHash, size: u64) -> io::Result<Self> {
        let mut tree = Self::over(file, root, size);
        tree.write_at(0, &size.to_le_bytes())?;
        Ok(tree)
    }

    /// Opens a tree file; its size is what it says, proven only by verification.
    pub(crate) fn open(file: File, root: BlobHash) -> io::Result<Self> {
        let mut prefix = [0; PREFIX as usize];
        file.read_exact_at(0, &mut prefix)?;
        Ok(Self::over(file, root, u64::from_le_bytes(prefix)))
    }

    fn over(file: File, root: BlobHash, size: u64) -> Self {
        Self { root: blake3::Hash::from_bytes(*root.as_bytes()), tree: geometry(size), file: Arc::new(file) }
    }

    /// Hashes all of `data` into a tree file whose root is not known yet.
    pub(crate) fn hash(data: impl Read, file: File, size: u64) -> io::Result<BlobHash> {
        let mut tree = Self::create(file, BlobHash::from_bytes([0; 32]), size)?;
        let root = sync::outboard(data, geometry(size), &mut tree)?;
        tree.file.sync_data()?;
        Ok(BlobHash::from_bytes(*root.as_bytes()))
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Keeps a verified pair of hashes.
    pub(crate) fn save_pair(&self, node: TreeNode, pair: &(blake3::Hash, blake3::Hash)) -> io::Result<()> {
        let mut this = self.clone();
        this.save(node, pair)
    }

    /// Writes data to disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Gives up what is there, for a blob that is removed.
    pub(crate) fn clear(&self) {
        let _ = self.file.set_len(0);
    }

    /// Encodes groups with their proofs, each verified as it is read.
    pub(crate) fn encode(&self, data: &File, groups: &[Range<u64>]) -> Result<Bytes, EncodeError> {
        if groups.is_empty() {
            return Ok(Bytes::new());
        }
        let expected: u64 =
            groups.iter().map(|range| (range.end - range.start) * (GROUP + PAIR as u64)).sum();
        let mut encoded = BytesMut::with_capacity(expected as usize + 1024).writer();
        sync::encode_ranges_validated(data, self, &chunks(groups), &mut encoded)?;
        Ok(encoded.into_inner().freeze())
    }

    /// Finds which groups of the data verify; the cost follows what is there, not the size.
    pub(crate) fn verified(&self, data: &File) -> io::Result<Groups> {
        let mut groups = Groups::new(group_count(self.size()));
        self.verify_into(&mut groups, data, &ChunkRanges::all())?;
        Ok(groups)
    }

    /// Says whether these groups of the data verify.
    pub(crate) fn verifies(&self, data: &File, groups: Range<u64>) -> io::Result<bool> {
        let mut verified = Groups::new(group_count(self.size()));
        self.verify_into(&mut verified, data, &chunks(std::slice::from_ref(&groups)))?;
        Ok(verified.has_all(groups))
    }

    fn verify_into(&self, groups: &mut Groups, data: &File, ranges: &ChunkRanges) -> io::Result<()> {
        for range in sync::valid_ranges(self, data, ranges) {
            let range = range?;
            groups.insert(range.start.0 / CHUNKS_PER_GROUP..range.end.0.div_ceil(CHUNKS_PER_GROUP));
        }
        Ok(())
    }

    fn offset(&self, node: TreeNode) -> Option<u64> {
        self.tree.pre_order_offset(node).map(|index| PREFIX + index * PAIR as u64)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write_all_at(&self.file, bytes, offset)
    }
}

impl Outboard for TreeFile {
    fn root(&self) -> blake3::Hash {
        self.root
    }

    fn tree(&self) -> BaoTree {
        self.tree
    }

    /// What was never written reads as zeroes, which never verify.
    fn load(&self, node: TreeNode) -> io::Result<Option<(blake3::Hash, blake3::Hash)>> {
        let Some(offset) = self.offset(node) else { return Ok(None) };
        let mut pair = [0; PAIR];
        match self.file.read_exact_at(offset, &mut pair) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => {}
        }
        let (left, right) = pair.split_at(PAIR / 2);
        let hash = |half: &[u8]| blake3::Hash::from_slice(half).expect("half a pair is 32 bytes");
        Ok(Some((hash(left), hash(right))))
    }
}

impl OutboardMut for TreeFile {
    fn save(&mut self, node: TreeNode, pair: &(blake3::Hash, blake3::Hash)) -> io::Result<()> {
        let Some(offset) = self.offset(node) else { return Ok(()) };
        let bytes = [pair.0.as_bytes().as_slice(), pair.1.as_bytes()].concat();
        self.write_at(offset, &bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
