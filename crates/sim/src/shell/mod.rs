//! A POSIX shell and the common applets in virtual time.
