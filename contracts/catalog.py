"""The canonical asset fields: what every importer maps to and every analysis reads. 1 GB is 1,024 MB."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

FieldType = Literal[
    "string",
    "text",
    "map",
    "ip",
    "mac",
    "enum",
    "integer",
    "number",
    "boolean",
    "person",
    "date",
    "datetime",
    "duration",
    "list",
]
Importance = Literal["required", "high", "medium", "low"]


class CatalogField(BaseModel):
    """One canonical field: its type and unit, and how much a migration depends on it."""

    model_config = ConfigDict(frozen=True)

    id: str
    label: str
    type: FieldType
    importance: Importance
    unit: str | None = None


def _field(id: str, label: str, type: FieldType, importance: Importance, unit: str | None = None) -> CatalogField:
    return CatalogField(id=id, label=label, type=type, importance=importance, unit=unit)


CATALOG: dict[str, CatalogField] = {
    field.id: field
    for field in (
        _field("asset_id", "Asset ID", "string", "high"),
        _field("hostname", "Host name", "string", "required"),
        _field("vm_name", "VM name", "string", "high"),
        _field("fqdn", "FQDN", "string", "medium"),
        _field("asset_type", "Asset type", "enum", "medium"),
        _field("asset_tag", "Asset tag", "string", "low"),
        _field("serial_number", "Serial number", "string", "medium"),
        _field("uuid", "Hardware UUID", "string", "medium"),
        _field("description", "Description", "text", "low"),
        _field("tags", "Tags", "map", "low"),
        _field("ip_address", "IP address", "ip", "required"),
        _field("public_ip", "Public IP address", "ip", "low"),
        _field("mac_address", "MAC address", "mac", "low"),
        _field("domain", "Domain", "string", "low"),
        _field("network_segment", "Network segment", "string", "medium"),
        _field("operating_system", "Operating system", "string", "required"),
        _field("os_version", "OS version", "string", "high"),
        _field("architecture", "Architecture", "enum", "medium"),
        _field("cpu_sockets", "CPU sockets", "integer", "medium", "count"),
        _field("cores_per_socket", "Cores per socket", "integer", "low", "count"),
        _field("cpu_cores", "CPU cores", "integer", "required", "count"),
        _field("cpu_model", "CPU model", "string", "low"),
        _field("cpu_speed_mhz", "CPU speed", "number", "low", "MHz"),
        _field("memory_gb", "Memory", "number", "required", "GB"),
        _field("storage_gb", "Storage", "number", "required", "GB"),
        _field("storage_used_gb", "Storage used", "number", "high", "GB"),
        _field("cpu_utilization_pct", "CPU utilization", "number", "high", "%"),
        _field("memory_utilization_pct", "Memory utilization", "number", "high", "%"),
        _field("memory_used_gb", "Memory used", "number", "medium", "GB"),
        _field("disk_iops", "Disk IOPS", "number", "medium", "ops/s"),
        _field("is_virtual", "Is virtual", "boolean", "high"),
        _field("hypervisor", "Hypervisor", "string", "high"),
        _field("virtualization_host", "Virtualization host", "string", "medium"),
        _field("cluster", "Cluster", "string", "medium"),
        _field("power_state", "Power state", "enum", "high"),
        _field("boot_type", "Boot type", "enum", "medium"),
        _field("instance_type", "Instance type", "string", "medium"),
        _field("cloud_account", "Cloud account", "string", "medium"),
        _field("cloud_region", "Cloud region", "string", "medium"),
        _field("datacenter", "Data center", "string", "high"),
        _field("location", "Location", "string", "medium"),
        _field("application_name", "Application name", "string", "required"),
        _field("environment", "Environment", "enum", "required"),
        _field("server_role", "Role", "string", "medium"),
        _field("business_owner", "Business owner", "person", "high"),
        _field("technical_owner", "Technical owner", "person", "high"),
        _field("support_group", "Support group", "string", "medium"),
        _field("department", "Department", "string", "medium"),
        _field("company", "Company", "string", "low"),
        _field("cost_center", "Cost center", "string", "medium"),
        _field("criticality", "Criticality", "enum", "high"),
        _field("dr_tier", "DR tier", "enum", "medium"),
        _field("rto", "RTO", "duration", "medium", "hours"),
        _field("rpo", "RPO", "duration", "medium", "hours"),
        _field("data_classification", "Data classification", "enum", "high"),
        _field("lifecycle_status", "Lifecycle status", "enum", "high"),
        _field("dependencies", "Dependencies", "list", "high"),
        _field("database_name", "Database name", "string", "high"),
        _field("database_engine", "Database engine", "enum", "high"),
        _field("database_version", "Database version", "string", "high"),
        _field("database_size_gb", "Database size", "number", "high", "GB"),
        _field("manufacturer", "Manufacturer", "string", "low"),
        _field("model", "Model", "string", "low"),
        _field("install_date", "Install date", "date", "low"),
        _field("eol_date", "End of life date", "date", "high"),
        _field("last_seen", "Last seen", "datetime", "medium"),
        _field("cost", "Cost", "number", "medium", "currency"),
        _field("migration_wave", "Migration wave", "string", "medium"),
        _field("migration_strategy", "Migration strategy", "enum", "medium"),
    )
}

# How a canonical type is stored in claim-check Parquet files; every other type is a string.
COLUMN_TYPES: dict[FieldType, str] = {
    "integer": "Int64",
    "number": "Float64",
    "boolean": "Boolean",
    "date": "Date",
    "datetime": "Datetime",
    "duration": "Float64",
}
