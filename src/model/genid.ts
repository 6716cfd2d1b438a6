/**
 * `genid`: the function that derives all identifiers and addresses. Nodes, host0 and boot scripts must get the same
 * answer, so the function must not change: the first hex digits of SHA-256 over the parts, joined by NUL bytes. In a
 * shell: `printf 'machine\0%s' "$h" | sha256sum | cut -c1-8`.
 */

/** The first `digits` hex digits of SHA-256 over `parts` as UTF-8, joined by one NUL byte. */
export function genid(parts: readonly string[], digits: number): string {
  // Loaded here: most commands derive nothing, and it takes 15 ms.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(parts.join('\0'), 'utf8').digest('hex').slice(0, digits);
}
