import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { nocloudSeed } from './nocloud-seed.ts';

const SEED = {
  instanceId: '6f5bbd0e',
  hostName: 'web',
  keys: ['ssh-ed25519 AAAAC3Nza root: "x"'],
  userData: '#cloud-config\npackages: [nginx]\n',
  cards: [
    { mac: '02:00:00:00:00:1f', addresses: ['10.1.0.5/24', 'fd00::5/64'], mtuBytes: 1380 },
    { mac: '02:00:00:00:00:20', addresses: [] },
  ],
};

/** The files of an image, read by the standard: from the descriptor at a sector. */
function filesOf(image: Buffer, descriptor: number, decode: (name: Buffer) => string): Record<string, string> {
  const at = descriptor * 2048;
  expect(image.toString('latin1', at + 1, at + 6)).toBe('CD001');
  expect(image.readUInt32LE(at + 80) * 2048).toBe(image.length);
  const directory = image.readUInt32LE(at + 156 + 2) * 2048;
  const files: Record<string, string> = {};
  for (let record = directory; image[record] !== 0; record += image[record] ?? 1) {
    const name = image.subarray(record + 33, record + 33 + (image[record + 32] ?? 0));
    const [begin, length] = [image.readUInt32LE(record + 2) * 2048, image.readUInt32LE(record + 10)];
    expect([image.readUInt32BE(record + 6) * 2048, image.readUInt32BE(record + 14)]).toEqual([begin, length]);
    if (name.length > 1) files[decode(name)] = image.toString('utf8', begin, begin + length);
  }
  return files;
}

test('a seed says who the guest is, in both directories of the image', () => {
  const image = nocloudSeed(SEED);
  const joliet = filesOf(image, 17, (name) => Buffer.from(name).swap16().toString('utf16le'));
  expect(Object.keys(joliet)).toEqual(['meta-data', 'network-config', 'user-data']);
  expect(JSON.parse(joliet['meta-data'] ?? '')).toEqual({
    'instance-id': '6f5bbd0e',
    'local-hostname': 'web',
    'public-keys': SEED.keys,
  });
  expect(joliet['user-data']).toBe(SEED.userData);
  expect(JSON.parse(joliet['network-config'] ?? '')).toEqual({
    version: 2,
    ethernets: {
      card0: {
        match: { macaddress: '02:00:00:00:00:1f' },
        dhcp4: false,
        addresses: ['10.1.0.5/24', 'fd00::5/64'],
        mtu: 1380,
      },
      card1: { match: { macaddress: '02:00:00:00:00:20' }, dhcp4: false },
    },
  });
  const plain = filesOf(image, 16, (name) => name.toString('latin1'));
  expect(plain).toEqual(
    Object.fromEntries(Object.entries(joliet).map(([name, text]) => [`${name.toUpperCase()}.;1`, text])),
  );
  expect(nocloudSeed(SEED).equals(image)).toBe(true);
});

test('without addresses the guest keeps its own network settings, and large user data fits', () => {
  const userData = `#cloud-config\n# ${'x'.repeat(64 * 1024)}\n`;
  const image = nocloudSeed({ ...SEED, userData, cards: [{ mac: '02:00:00:00:00:1f', addresses: [] }] });
  const files = filesOf(image, 16, (name) => name.toString('latin1'));
  expect(Object.keys(files)).toEqual(['META-DATA.;1', 'USER-DATA.;1']);
  expect(files['USER-DATA.;1']).toBe(userData);
});

test('the system knows the image by its label', () => {
  const directory = mkdtempSync(join(tmpdir(), 'seed-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'seed.iso');
  writeFileSync(path, nocloudSeed(SEED));
  const told = execFileSync('/sbin/blkid', ['-p', '-o', 'export', path], { encoding: 'utf8' });
  expect(told).toContain('LABEL=cidata\n');
  expect(told).toContain('TYPE=iso9660\n');
});
