/** Codes of errors that were renamed. */

/**
 * Codes of earlier versions, each with its present code. The reference page lists both, for readers of old logs. Errors
 * from an older process are translated with this map.
 */
export const RENAMED: ReadonlyMap<string, string> = new Map([
  ['MESH_NET_BINARY', 'MESH_CONF_BINARY'],
  ['MESH_NET_TOO_LARGE', 'MESH_CONF_TOO_LARGE'],
  ['MESH_NET_LINE_TOO_LONG', 'MESH_CONF_LINE_TOO_LONG'],
  ['MESH_NET_SYNTAX', 'MESH_CONF_SYNTAX'],
  ['MESH_NET_KEY_UNKNOWN', 'MESH_CONF_KEY_UNKNOWN'],
  ['MESH_NET_KEY_TWICE', 'MESH_CONF_KEY_TWICE'],
  ['MESH_NET_KEY_MISSING', 'MESH_CONF_KEY_MISSING'],
  ['MESH_NET_FILE_UNREADABLE', 'MESH_CONF_UNREADABLE'],
  ['MESH_SERVICE_FAILED', 'MESH_PROCESS_FAILED'],
]);
