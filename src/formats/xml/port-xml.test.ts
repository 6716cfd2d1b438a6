/** Network ports in XML. */
import { describe, expect, test } from 'vitest';
import { PortDocumentShape, parsePortXml, printPortXml } from './port-xml.ts';
import { XmlNetworkError } from './text/xml-error.ts';

const HEAD = `<networkport>
  <uuid>aa00a8bb-8962-4a88-b570-4d9752860660</uuid>
  <owner>
    <name>guest</name>
    <uuid>aa00a8bb-8962-4a88-b570-4d9752860661</uuid>
  </owner>
`;

test.each([
  `${HEAD}  <group>web</group>
  <mac address='52:54:00:00:00:01'/>
  <virtualport type='openvswitch'>
    <parameters interfaceid='aa00a8bb-8962-4a88-b570-4d9752860662' profileid='p'/>
  </virtualport>
  <bandwidth classID='3'>
    <inbound average='5' peak='6' floor='4' burst='7'/>
    <outbound average='8'/>
  </bandwidth>
  <vlan trunk='yes'>
    <tag id='3' nativeMode='untagged'/>
    <tag id='4'/>
  </vlan>
  <port isolated='yes'/>
  <rxfilters trustGuest='no'/>
  <plug type='network' bridge='virbr0' macTableManager='libvirt'/>
</networkport>
`,
  `${HEAD}  <mac address='52:54:00:00:00:01'/>
  <bandwidth>
    <inbound floor='4'/>
  </bandwidth>
  <plug type='direct' dev='eth1' mode='private'/>
</networkport>
`,
  `${HEAD}  <mac address='52:54:00:00:00:01'/>
  <plug type='hostdev-pci' managed='yes'>
    <driver name='vfio'/>
    <address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x1'/>
  </plug>
</networkport>
`,
  `${HEAD}  <mac address='52:54:00:00:00:01'/>
  <plug type='bridge' bridge='br0'/>
</networkport>
`,
  `${HEAD}  <mac address='52:54:00:00:00:01'/>
</networkport>
`,
])('what is printed is what was read, and is kept as a document: %#', (text) => {
  const port = parsePortXml(text, { validate: true });
  expect(printPortXml(port)).toBe(text);
  expect(PortDocumentShape.read(structuredClone(port), true)).toEqual(port);
});

const UUID = '<uuid>aa00a8bb-8962-4a88-b570-4d9752860660</uuid>';
const OWNER = `<owner><name>g</name>${UUID}</owner>`;
const MAC = "<mac address='52:54:00:00:00:01'/>";

describe('what is refused', () => {
  test.each([
    ['', 1, 'network port has no uuid'],
    ['<uuid>zz</uuid>', 1, "Unable to parse UUID 'zz'"],
    [UUID, 27, 'network port owner has no name'],
    [`${UUID}<owner><name>g</name></owner>`, 27, 'network port owner has no UUID'],
    [UUID + OWNER, 27, 'network port has no mac'],
    [`${UUID}${OWNER}<mac address='zz'/>`, 1, "Unable to parse MAC 'zz'"],
    [`${UUID}${OWNER}${MAC}<plug/>`, 27, 'network port has no plug type'],
    [`${UUID}${OWNER}${MAC}<plug type='x'/>`, 27, "Invalid network port plug type 'x'"],
    [`${UUID}${OWNER}${MAC}<plug type='bridge'/>`, 27, 'Missing network port bridge name'],
    [`${UUID}${OWNER}${MAC}<plug type='direct'/>`, 27, 'Missing network port link device name'],
    [`${UUID}${OWNER}${MAC}<plug type='hostdev-pci'/>`, 27, 'Missing network port PCI address'],
    [
      `${UUID}${OWNER}${MAC}<bandwidth><inbound floor='x'/></bandwidth>`,
      67,
      "could not convert bandwidth floor value 'x'",
    ],
  ])('%s', (parts, code, message) => {
    try {
      parsePortXml(`<networkport>${parts}</networkport>`);
    } catch (error) {
      expect(error).toBeInstanceOf(XmlNetworkError);
      if (error instanceof XmlNetworkError) expect(error.libvirt).toMatchObject({ code, message });
      return;
    }
    throw new Error('nothing was refused');
  });

  test('a network, and parts that nobody knows where that is asked for', () => {
    expect(() => parsePortXml('<network/>')).toThrow("expecting root element of 'networkport', not 'network'");
    const odd = `<networkport>${UUID}${OWNER}${MAC}<odd/></networkport>`;
    expect(parsePortXml(odd).owner.name).toBe('g');
    expect(() => parsePortXml(odd, { validate: true })).toThrow('networkport.rng');
  });
});
