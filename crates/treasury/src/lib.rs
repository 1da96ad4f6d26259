//! Bitcoin, offline: the wallet's policy, and who is owed what and was paid. No sockets, clocks, threads or files.
