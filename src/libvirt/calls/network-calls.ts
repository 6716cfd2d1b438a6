/** The calls of networks. */
import { BOOL, INT, sequence, struct, UINT, UUID, VOID } from '../xdr/codec.ts';
import { call } from './call.ts';
import { LEASES, LIST_MAX, NETWORK, OPTIONAL_STRING, STRING } from './values.ts';

const NAMES = struct({ names: sequence(STRING, LIST_MAX) });
const NUMBER = struct({ number: INT });
const MAX_NAMES = struct({ max: INT });
const OF_NETWORK = struct({ network: NETWORK });
const ANSWER_NETWORK = struct({ network: NETWORK });
const XML = struct({ xml: STRING });
const XML_FLAGS = struct({ xml: STRING, flags: UINT });

/** By what they do. */
export const NETWORK_CALLS = {
  numOfNetworks: call(52, 'connectNumOfNetworks', VOID, NUMBER),
  numOfDefinedNetworks: call(50, 'connectNumOfDefinedNetworks', VOID, NUMBER),
  listNetworks: call(38, 'connectListNetworks', MAX_NAMES, NAMES),
  listDefinedNetworks: call(36, 'connectListDefinedNetworks', MAX_NAMES, NAMES),
  listAllNetworks: call(
    283,
    'connectListAllNetworks',
    struct({ needResults: INT, flags: UINT }),
    struct({ networks: sequence(NETWORK, LIST_MAX), count: UINT }),
  ),
  lookupByName: call(46, 'networkLookupByName', struct({ name: STRING }), ANSWER_NETWORK),
  lookupByUuid: call(47, 'networkLookupByUUID', struct({ uuid: UUID }), ANSWER_NETWORK),
  createXml: call(40, 'networkCreateXML', XML, ANSWER_NETWORK),
  createXmlFlags: call(437, 'networkCreateXMLFlags', XML_FLAGS, ANSWER_NETWORK),
  defineXml: call(41, 'networkDefineXML', XML, ANSWER_NETWORK),
  defineXmlFlags: call(432, 'networkDefineXMLFlags', XML_FLAGS, ANSWER_NETWORK),
  create: call(39, 'networkCreate', OF_NETWORK, VOID),
  destroy: call(42, 'networkDestroy', OF_NETWORK, VOID),
  undefine: call(49, 'networkUndefine', OF_NETWORK, VOID),
  update: call(
    291,
    'networkUpdate',
    struct({ network: NETWORK, command: UINT, section: UINT, parentIndex: INT, xml: STRING, flags: UINT }),
    VOID,
  ),
  getXmlDesc: call(43, 'networkGetXMLDesc', struct({ network: NETWORK, flags: UINT }), XML),
  getBridgeName: call(45, 'networkGetBridgeName', OF_NETWORK, struct({ name: STRING })),
  getAutostart: call(44, 'networkGetAutostart', OF_NETWORK, struct({ autostart: BOOL })),
  setAutostart: call(48, 'networkSetAutostart', struct({ network: NETWORK, autostart: BOOL }), VOID),
  isActive: call(152, 'networkIsActive', OF_NETWORK, struct({ active: BOOL })),
  isPersistent: call(153, 'networkIsPersistent', OF_NETWORK, struct({ persistent: BOOL })),
  getDhcpLeases: call(
    341,
    'networkGetDHCPLeases',
    struct({ network: NETWORK, mac: OPTIONAL_STRING, needResults: INT, flags: UINT }),
    struct({ leases: LEASES, count: UINT }),
  ),
  setMetadata: call(
    444,
    'networkSetMetadata',
    struct({
      network: NETWORK,
      type: INT,
      metadata: OPTIONAL_STRING,
      key: OPTIONAL_STRING,
      uri: OPTIONAL_STRING,
      flags: UINT,
    }),
    VOID,
  ),
  getMetadata: call(
    445,
    'networkGetMetadata',
    struct({ network: NETWORK, type: INT, uri: OPTIONAL_STRING, flags: UINT }),
    struct({ metadata: STRING }),
  ),
} as const;

/** The flag of `getXmlDesc` for the definition. */
export const XML_INACTIVE = 1;
/** A flag of ours, which libvirt does not have: the document names the id of an active network, as the first draft did. */
export const XML_ID = 0x4000_0000;
