//! The suite of the port.

use crate::fixture::fresh;

helpsync_queue::queue_conformance!(fresh);
