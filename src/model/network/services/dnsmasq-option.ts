/**
 * Which further lines of dnsmasq's configuration a network may bring. dnsmasq starts as root: a line that runs a program, reads more
 * configuration, or names the files that are written, would make root of everybody who may define a network.
 */

/** Refused, whatever they are set to. */
const REFUSED: ReadonlySet<string> = new Set([
  ...['dhcp-script', 'dhcp-luascript', 'dhcp-scriptuser', 'leasefile-ro', 'conf-file', 'conf-dir', 'conf-script'],
  ...['user', 'group', 'pid-file', 'log-facility', 'dhcp-leasefile', 'dumpfile'],
]);

/** dnsmasq reads lines into 1025 bytes, and takes what is behind them as another line. */
const BYTES_MAX = 1_000;

/** Why a line is refused, as a remedy; undefined for one that may be written. */
export function optionRemedy(line: string): string | undefined {
  if (new TextEncoder().encode(line).length > BYTES_MAX) return `Write several lines of at most ${BYTES_MAX} bytes`;
  // dnsmasq takes quotes away, also from the name.
  const [name = ''] = line.replaceAll(/["\\]/g, '').split('=', 1);
  if (!REFUSED.has(name.trim())) return undefined;
  return `Leave ${name.trim()} out: it would let a network run programs, or write files, as root`;
}
