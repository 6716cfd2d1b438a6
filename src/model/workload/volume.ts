/** A volume: a disk or a CD of a virtual machine. */
import * as form from '../form.ts';

/** What a volume is: a disk that the guest writes to, or a CD that the guest only reads. */
export const VOLUME_TYPES = ['qcow2', 'iso'] as const;

/** A volume of a virtual machine. */
export interface WorkloadVolume {
  /** One word, unique in the workload. */
  readonly id: string;
  readonly type: (typeof VOLUME_TYPES)[number];
  /** The path on the node. A relative path is below the node's directory of volumes. */
  readonly path: string;
  /**
   * Where the image comes from while there is no file at `path`: a URL, an image of host0 (`isos/alpine.iso`), or a file of the
   * node.
   * A disk is then a thin copy over the image, and a CD is the image itself.
   */
  readonly source?: string;
  /** Of the image, 64 hex digits. */
  readonly sha256?: string;
  /** The size of a disk. Absent: the size of its image. */
  readonly sizeBytes?: number;
}

/** The longest path of a volume, and the longest source. */
export const VOLUME_PATH_MAX = 500;
/** The least size of a disk. */
export const VOLUME_SIZE_MIN_BYTES = 1024 * 1024;
const VOLUME_SIZE_MAX_BYTES = 1024 ** 5;

/** A word that tells a part of a workload from the others. */
export const PartIdShape: form.Shape<string> = form.worded(
  form.string({ pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{0,30}$/ }),
  'One word: 1 to 31 letters, digits, underscores and hyphens, with a letter or digit first.',
);
/** A path on a node: no component is `..`, and nothing in it means something to a terminal. */
export const VolumePathShape: form.Shape<string> = form.worded(
  form.guard<string>(
    (value) =>
      typeof value === 'string' &&
      value.length <= VOLUME_PATH_MAX &&
      /^[\x21-\x7e]+$/.test(value) &&
      !value.endsWith('/') &&
      value.split('/').every((part, at) => (part !== '' || at === 0) && part !== '.' && part !== '..'),
    undefined,
    form.TEXT,
  ),
  `A path on the node, of at most ${VOLUME_PATH_MAX} printable characters without blanks, and without the parts . and ..`,
);
/** A URL, or the name of an image on host0. */
export const VolumeSourceShape: form.Shape<string> = form.worded(
  form.guard<string>(isSource, undefined, form.TEXT),
  'A URL of http:// or https://, an image in the folder isos of host0, as isos/alpine.iso, or an absolute path on the node.',
);
/** A SHA-256 sum. */
export const Sha256Shape: form.Shape<string> = form.worded(
  form.string({ pattern: /^[0-9a-f]{64}$/ }),
  'A SHA-256 sum is 64 lower-case hex digits, as `sha256sum` prints it.',
);
/** The size of a disk in bytes. */
export const VolumeSizeShape = form.int(VOLUME_SIZE_MIN_BYTES, VOLUME_SIZE_MAX_BYTES);

/** The form of a volume in documents. */
export const WorkloadVolumeShape: form.Shape<WorkloadVolume> = form.object({
  id: PartIdShape,
  type: form.oneOf(VOLUME_TYPES),
  path: VolumePathShape,
  source: form.exactOptional(VolumeSourceShape),
  sha256: form.exactOptional(Sha256Shape),
  sizeBytes: form.exactOptional(VolumeSizeShape),
});

function isSource(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > VOLUME_PATH_MAX || !/^[\x21-\x7e]+$/.test(value)) return false;
  if (/^https?:\/\//.test(value)) return URL.canParse(value);
  const parts = value.split('/');
  return !value.includes(':') && parts.every((part, at) => (part !== '' || at === 0) && part !== '.' && part !== '..');
}
