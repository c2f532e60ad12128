@0xb3f1c5a0d2e4967a;

# The service of the capnp-rpc peer. `src/echo_capnp.rs` is generated from this file:
#   capnp compile -orust:src echo.capnp && cargo fmt    (with capnpc 0.27)
interface Echo {
  same @0 (number :UInt64) -> (number :UInt64);
}
