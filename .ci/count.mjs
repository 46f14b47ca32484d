// Prints `N passed, N failed` from Vitest's JSON report and exits with 1 unless all is well.
// A step that failed before any test (install, build, lint) and a test file that cannot be loaded count as one failure.
import { readFileSync } from "node:fs";

const [, , reportFile, status] = process.argv;
const text = readFileSync(reportFile, "utf8");
const report =
  text === "" ? { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, testResults: [] } : JSON.parse(text);

const brokenFiles = report.testResults.filter(
  ({ status, assertionResults }) => status === "failed" && assertionResults.every((one) => one.status !== "failed"),
);
let failed = report.numFailedTests + brokenFiles.length;
if (failed === 0 && status !== "0") failed = 1;

if (report.numPendingTests > 0) console.log(`${report.numPendingTests} skipped, with reasons above`);
console.log(`${report.numPassedTests} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
