/** Where a source leads to. */
import { expect, test } from 'vitest';
import { redirectionFrom } from './upstream.ts';

test.each([
  ['https://a.example/x', 'https://b.example/y', 'https://b.example/y'],
  ['https://a.example/x', '/y', 'https://a.example/y'],
  ['http://a.example/x', 'https://b.example/y', 'https://b.example/y'],
  ['http://a.example/x', 'http://b.example/y', 'http://b.example/y'],
  ['https://a.example/x', 'http://b.example/y', undefined],
  ['https://a.example/x', 'file:///etc/passwd', undefined],
])('from %s to %s leads %s', (url, location, to) => {
  expect(redirectionFrom(url, location)).toBe(to);
});
