/** The boot loaders of machines, by their architectures. */
import type { Ipv4 } from '../../model/address/ipv4.ts';

/** The files of the boot loaders below the TFTP root. They come from the distribution's package `ipxe`. */
export const LOADERS = { bios: 'undionly.kpxe', efi64: 'ipxe.efi' } as const;

/** The URL of the first script, which iPXE fetches from host0's boot server. */
export function scriptUrl(host0: Ipv4): string {
  return `http://${host0}/boot.ipxe`;
}

/** The URL of the boot loader for firmware that boots by HTTP (UEFI 2.5 §23.7). */
export function httpLoaderUrl(host0: Ipv4): string {
  return `http://${host0}/tftp/${LOADERS.efi64}`;
}

/** Architectures by number (RFC 4578 §2.1); by its errata, 7 and 9 are both x64. */
export const ARCHITECTURES = { bios: [0], efi64: [7, 9], http64: [16] } as const;

/** The architectures (option 93) for which host0 has a boot loader and an image. */
export const BOOT_ARCHITECTURES: readonly number[] = Object.values(ARCHITECTURES).flat();

/** The boot loader for an architecture: a file to fetch by TFTP, or a URL. @returns undefined if host0 has none */
export function loaderFor(architecture: number, host0: Ipv4): string | undefined {
  const isOf = (kind: keyof typeof ARCHITECTURES) => ARCHITECTURES[kind].some((number) => number === architecture);
  if (isOf('bios')) return LOADERS.bios;
  if (isOf('efi64')) return LOADERS.efi64;
  return isOf('http64') ? httpLoaderUrl(host0) : undefined;
}
