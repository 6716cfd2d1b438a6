/** What a guest with cloud-init is told of itself: its NoCloud seed. */
import * as form from '../form.ts';

/** The parts of a seed that an administrator gives. */
export interface WorkloadCloud {
  /** Absent: the name of the workload. */
  readonly hostName?: string;
  /** Public keys of OpenSSH, a line each. */
  readonly keys: readonly string[];
  /** A document of cloud-init, which is given as it is, such as a text that begins with `#cloud-config`. */
  readonly userData?: string;
}

/** The most keys of one guest. */
export const CLOUD_KEYS_MAX = 64;
/** The longest user data: the seed is a disk of 2 MB, and the document stands in the store and in the assignment. */
export const USER_DATA_MAX_LENGTH = 64 * 1024;

/** A host name: labels of letters, digits and hyphens. */
export const HostNameShape: form.Shape<string> = form.worded(
  form.string({ pattern: /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/ }),
  'A host name is of lower-case letters, digits and hyphens, in parts of at most 63 with dots between them.',
);
/** A public key of OpenSSH. */
export const PublicKeyShape: form.Shape<string> = form.worded(
  form.string({ pattern: /^(ssh-|ecdsa-|sk-)[a-z0-9@.-]{1,60} [A-Za-z0-9+/]{16,4096}={0,3}( [\x20-\x7e]{0,200})?$/ }),
  'A public key of OpenSSH is one line, as `ssh-ed25519 AAAA… name`.',
);

/** The form of a seed in documents. */
export const WorkloadCloudShape: form.Shape<WorkloadCloud> = form.object({
  hostName: form.exactOptional(HostNameShape),
  keys: form.listOf(PublicKeyShape, CLOUD_KEYS_MAX),
  userData: form.exactOptional(form.string({ max: USER_DATA_MAX_LENGTH })),
});
