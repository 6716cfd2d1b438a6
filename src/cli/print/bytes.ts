/** Sizes for people: `31.4 GiB`, `512 GB`. */
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** The size with the unit that makes it short. @param step 1000 for disks, 1024 for memory, as is usual */
export function bytesText(bytes: number, step: 1000 | 1024): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log(Math.max(1, bytes)) / Math.log(step)));
  const value = bytes / step ** power;
  const digits = value >= 100 || power === 0 ? 0 : 1;
  return `${value.toFixed(digits)} ${(step === 1000 ? UNITS : BINARY_UNITS)[power]}`;
}
