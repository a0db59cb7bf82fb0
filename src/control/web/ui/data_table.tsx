// Implements the tables of the pages: a region that scrolls on its own, can be focused and has a name, with one row
// per entry.

import type { Child } from "hono/jsx";
import { Icon } from "../icons/icon.tsx";

export interface Column<Row> {
  /** Heading; with `isLabelHidden`, it is only read out. */
  readonly label: Child;
  readonly isLabelHidden?: boolean;
  /**
   * What a stacked table shows before the value on narrow screens. By default the heading if that is a text; null shows
   * nothing, as for buttons.
   */
  readonly narrowLabel?: string | null | ((row: Row) => string | undefined);
  /** Whether the cells name their rows. */
  readonly isRowHeader?: boolean;
  /** Whether heading and cells are aligned as numbers. */
  readonly isFigure?: boolean;
  /** Whether the cells hold buttons for their rows: at the end, with a heading that is only read out. */
  readonly isActions?: boolean;
  /** Where the heading leads, which sorts the rows by this column, and how they are sorted by it now. */
  readonly sort?: { readonly href: string; readonly direction?: "ascending" | "descending" | undefined };
  /** CSS class of the cells. */
  readonly class?: string;
  /** Attributes of the heading that a script reads. */
  readonly data?: Readonly<Record<`data-${string}`, string>>;
  readonly cell: (row: Row) => Child;
}

export interface DataTableProps<Row> {
  /** Name of the region, which is read out. */
  label: string;
  /** An entry that is false is left out. */
  columns: readonly (Column<Row> | false)[];
  rows: readonly Row[];
  id?: string;
  /** CSS class of the table. */
  class?: string;
  /** Whether the head stays in sight while the page is scrolled. */
  isLong?: boolean;
  /** Whether a row becomes a block of lines on narrow screens. */
  isStacked?: boolean;
  /** Read out before the table. */
  caption?: string;
  /** Id of a row's element. */
  rowId?: (row: Row) => string;
  /** Attributes of a row's element that a script reads. */
  rowData?: (row: Row) => Readonly<Record<`data-${string}`, string | number>>;
}

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { label, rows, id, isStacked = false, isLong, caption, rowId, rowData } = props;
  const columns = props.columns.filter((column) => column !== false);
  const renderers = columns.map((column) => cellRenderer(column, isStacked));
  const classes = [props.class, isStacked && "stack", isLong && "long"].filter(Boolean).join(" ");
  return (
    <div class="scroll" tabindex={0} role="region" aria-label={label}>
      <table id={id} class={classes || undefined}>
        {caption && <caption class="visually-hidden">{caption}</caption>}
        <thead>
          <tr>{columns.map(headingOf)}</tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const cells = renderers.map((render) => render(row));
            return rowData ? <tr {...rowData(row)}>{cells}</tr> : <tr id={rowId?.(row)}>{cells}</tr>;
          })}
        </tbody>
      </table>
    </div>
  );
}

// Each variant is written out: JSX without spreads and optional attributes is precompiled to strings, and tables have
// many cells.

function headingOf<Row>({ label, isLabelHidden, isActions, isFigure, data, sort }: Column<Row>) {
  if (data) return <th scope="col" {...data}>{label}</th>;
  if (sort) {
    return (
      <th scope="col" class={isFigure ? "figure" : undefined} aria-sort={sort.direction}>
        <a href={sort.href} class="sort">
          {label}
          {sort.direction && <Icon name={sort.direction === "ascending" ? "arrow-up" : "arrow-down"} />}
        </a>
      </th>
    );
  }
  if (isLabelHidden || isActions) {
    return (
      <th scope="col">
        <span class="visually-hidden">{label}</span>
      </th>
    );
  }
  return isFigure ? <th scope="col" class="figure">{label}</th> : <th scope="col">{label}</th>;
}

/** Returns what renders a column's cell in any row. */
function cellRenderer<Row>(column: Column<Row>, isStacked: boolean): (row: Row) => Child {
  const { isRowHeader, isFigure, isActions, cell } = column;
  if (isRowHeader) return (row) => <th scope="row">{cell(row)}</th>;
  if (isActions) return (row) => <td class="row-actions">{cell(row)}</td>;
  const narrowLabel = isStacked ? narrowLabelOf(column) : undefined;
  const className = isFigure ? "figure" : column.class;
  if (typeof narrowLabel === "function") {
    return (row) => <td class={className} data-label={narrowLabel(row)}>{cell(row)}</td>;
  }
  if (className !== undefined) return (row) => <td class={className} data-label={narrowLabel}>{cell(row)}</td>;
  if (narrowLabel !== undefined) return (row) => <td data-label={narrowLabel}>{cell(row)}</td>;
  return (row) => <td>{cell(row)}</td>;
}

function narrowLabelOf<Row>({ label, isLabelHidden, narrowLabel }: Column<Row>) {
  if (narrowLabel !== undefined) return narrowLabel ?? undefined;
  return typeof label === "string" && !isLabelHidden ? label : undefined;
}
