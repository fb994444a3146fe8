// Is a range all zero? Most that are not show it in the first bytes.

/** True if all `length` bytes at `address` are zero. */
export function allZero(address: usize, length: usize): bool {
  const end = address + length;
  while (end - address >= 128) {
    const a = v128.or(v128.or(v128.load(address), v128.load(address, 16)), v128.or(v128.load(address, 32), v128.load(address, 48)));
    const b = v128.or(v128.or(v128.load(address, 64), v128.load(address, 80)), v128.or(v128.load(address, 96), v128.load(address, 112)));
    if (v128.any_true(v128.or(a, b))) return false;
    address += 128;
  }
  for (; end - address >= 8; address += 8) if (load<u64>(address) != 0) return false;
  for (; address < end; address++) if (load<u8>(address) != 0) return false;
  return true;
}
