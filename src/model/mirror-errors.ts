/** The codes of the mirror of packages. They are a part of `ERRORS`. */
import { absent, away, conflict, denied, input } from './error-class.ts';

/** Codes and their meanings. */
export const MIRROR_ERRORS = {
  MESH_MIRROR_CONF: input('A setting of mirror.conf is wrong, or there is no mirror.conf.'),
  MESH_MIRROR_KEY: input('A key for the indexes of packages is no safe key, or there is none.'),
  MESH_MIRROR_FETCH: away('The source of the mirror does not give a file.'),
  MESH_MIRROR_UNTRUSTED: denied(
    'An index or a package is not signed by a key that host0 trusts, or nothing vouches for a kernel.',
  ),
  MESH_MIRROR_FORGED: denied('A file of the source is not the one that was signed, or that mirror.conf names.'),
  MESH_MIRROR_DAMAGED: conflict('A file of the source is cut off, or not in its form.'),
  MESH_MIRROR_LARGE: conflict('A file of the source is larger than such a file can sensibly be.'),
  MESH_MIRROR_REPLAYED: denied(
    'The source gives an index that is older than one that host0 has seen, or one of another release.',
  ),
  MESH_MIRROR_PACKAGE: conflict('A machine names packages that cannot be installed, or not together.'),
  MESH_MIRROR_GREEDY: conflict('The packages of a machine fit only if apk does not take its first choices; a warning.'),
  MESH_MIRROR_KERNEL: conflict('Kernel, initramfs and modloop of the source do not belong together.'),
  MESH_MIRROR_NONE: absent('There is no mirror, no such generation of it, or no such package in it.'),
} as const;
