"""All metrics by name, and how they are shown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    Args:
        label: the name in reports and tables.
        percent: whether the metric is a fraction that is shown in percent.
        higher_is_better: whether a higher value is better.
    """

    label: str
    percent: bool = True
    higher_is_better: bool = True

    @property
    def scale(self) -> int:
        """The factor from a recorded value to the shown one."""
        return 100 if self.percent else 1

    @property
    def title(self) -> str:
        """The label with its unit."""
        return f"{self.label}, %" if self.percent else self.label

    def shown(self, value: float) -> str:
        """A value as text."""
        return f"{value:.1%}" if self.percent else f"{value:.4f}"


METRICS = {
    "exact_match": Metric("exact match"),
    "exact_match_first": Metric("exact match, first reference"),
    "token_accuracy": Metric("token accuracy"),
    "token_error_rate": Metric("token error rate", higher_is_better=False),
    "token_error_rate_first": Metric("token error rate, first reference", higher_is_better=False),
    "perplexity": Metric("perplexity (teacher-forced)", percent=False, higher_is_better=False),
    "next_token_accuracy": Metric("next-token accuracy (teacher-forced)"),
    "accuracy": Metric("accuracy"),
    "mase": Metric("mean absolute scaled error", percent=False, higher_is_better=False),
    "rmse": Metric("root mean squared error", percent=False, higher_is_better=False),
    "correlation": Metric("correlation", percent=False),
    "quantile_loss": Metric("quantile loss", percent=False, higher_is_better=False),
    "coverage": Metric("coverage between outer quantiles"),
    "bleu": Metric("BLEU"),
    "chrf": Metric("chrF"),
    "rouge_1": Metric("ROUGE-1"),
    "rouge_2": Metric("ROUGE-2"),
    "rouge_l": Metric("ROUGE-L"),
}
"""All metrics by name."""
