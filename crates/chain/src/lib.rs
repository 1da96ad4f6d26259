//! The Bitcoin network without a vendor's server: a light client over compact block filters (BIP 157, BIP 158).
