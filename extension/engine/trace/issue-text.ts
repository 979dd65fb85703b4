/** What a schema found wrong in JSON from a stranger, as half a sentence for people. */
import * as v from 'valibot';

/** `model.vocab is missing`, `layers should be a number and is "six"`; the first thing found, at most 240 characters. */
export function issueText([issue]: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): string {
  const path = v.getDotPath(issue) ?? 'it', said = issue.received === 'undefined' ? `${path} is missing` : issue.expected ? `${path} should be ${kindOf(issue.expected)} and is ${issue.received}` : `${path} is wrong: ${issue.message}`;
  return said.length > 240 ? `${said.slice(0, 239)}…` : said;
}

function kindOf(expected: string): string { return /^(string|number|boolean)$/.test(expected) ? `a ${expected}` : expected === 'Array' ? 'a list' : expected === 'Object' ? 'an object' : expected.replace(/^>=/, 'at least ').replace(/^<=/, 'at most '); }
