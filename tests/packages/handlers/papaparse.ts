import Papa from "npm:papaparse@5.7.1";

export default function (c) {
  const { data, errors } = Papa.parse('name,age\n"Doe, Jane",36\n', {
    header: true,
    dynamicTyping: true,
    skipEmptyLines: true,
  });
  return c.json({ data, errors, csv: Papa.unparse(data) });
}
