"""One self-contained HTML page of a run or of a validation.

The component `RunReport` is the last of the pipeline; its output `report`, an HtmlReport, is a folder
with `report.html` and `card.md`. `record` has what is kept of every run of a root, and `history` compares
one with those before. Whoever has the content in hand calls `page.write_report(content, path)`: the
content's parts are in `content`, and `gather.read_data` fills the data's part from artifacts.

    write_report(
        ReportContent(
            title=f"Validation of {source}",
            outcome="2 anomalies",
            level=Level.BAD,
            data=DataContent(manifest, findings=findings, anomalies=anomalies,
                             statistics=summarize_statistics({"train": ..., "eval": ...}),
                             drift=drift),
        ),
        "report.html",
    )
"""
